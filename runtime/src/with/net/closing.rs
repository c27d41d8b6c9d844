//! The end of a connection: its last bytes are on their way, and the peer may still send some.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::stream::Open;
use crate::life::lifecycle::Lifecycle;
use crate::work::cancellation::run_until_stopping;

/// How long the peer may take to close, and how long it may be silent meanwhile.
#[derive(Clone, Copy)]
struct Limits {
    in_all: Duration,
    silence: Duration,
}

const LIMITS: Limits = Limits { in_all: Duration::from_secs(5), silence: Duration::from_secs(1) };

/// The same in a stop, and no more than an eighth of what is left of its budget.
const IN_A_STOP: Limits = Limits { in_all: Duration::from_secs(2), silence: Duration::from_millis(500) };

impl Limits {
    fn within(self, remaining: Duration) -> Self {
        let in_all = self.in_all.min(remaining / 8);
        Self { in_all, silence: self.silence.min(in_all / 2) }
    }
}

/// Throws away what the peer still sends until it closes, or for as long as it may take. The write side is closed.
pub(super) async fn close(open: Open, life: &Lifecycle) {
    let began = Instant::now();
    let mut limits = LIMITS;
    let mut heard = began;
    let mut is_told = false;
    loop {
        let end = began + limits.in_all;
        let arrives = async {
            let readable = open.io.readable();
            if !is_told {
                return run_until_stopping(readable).await;
            }
            readable.await;
            Some(())
        };
        match timeout_at(end.min(heard + limits.silence), arrives).await {
            Ok(Some(())) => {
                if open.io.discard() {
                    return;
                }
                heard = Instant::now();
            }
            Ok(None) => {
                is_told = true;
                if let Some(budget) = life.phase.budget() {
                    limits = IN_A_STOP.within(budget.remaining(life.now()));
                }
            }
            // A peer that is still busy with the answer has a reason to be silent.
            Err(_) if Instant::now() < end && open.io.has_unsent_bytes() => heard = Instant::now(),
            Err(_) => return,
        }
    }
}
