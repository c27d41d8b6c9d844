//! How each kind of worker is started.

use std::time::Duration;

use graceful::{Hold, OnFailure, Worker as Graceful, hold};

use crate::act::{MAIN, Watched, Who, act_blocking};
use crate::actions;
use crate::program;
use crate::program::{Kind, Policy, Stage, When, Worker};
use crate::say::say;

type Ending = Result<(), String>;

/// Starts a worker with its options. A macro, since the type of a worker's body has no public name.
macro_rules! start {
    ($worker:ident, $made:expr) => {{
        let mut made = with($worker, $made);
        if let Some(policy) = $worker.policy {
            made = made.on_failure(on_failure(policy));
        }
        actions::leave_handle(Who($worker.id), made.spawn());
    }};
}

#[graceful::worker(blocking)]
fn blocking(who: Who) -> Ending {
    act_blocking(who)
}

#[graceful::worker(blocking, on_failure = "restart")]
fn blocking_restarts(who: Who) -> Ending {
    act_blocking(who)
}

#[graceful::worker(every = "25ms")]
async fn every(who: Who) -> Ending {
    Watched::new(who).await
}

#[graceful::worker(essential)]
async fn essential(who: Who) -> Ending {
    Watched::new(who).await
}

#[graceful::worker(on_failure = "restart", backoff = "10ms..40ms", max_restarts = 3)]
async fn restarts(who: Who) -> Ending {
    Watched::new(who).await
}

#[graceful::worker(when_stopping = "refuse")]
async fn refuses(who: Who) -> Ending {
    Watched::new(who).await
}

/// Spawns the workers of this parent that are due at this moment.
pub(crate) fn children(parent: Who, when: When) {
    let is_child = |worker: &&Worker| worker.parent.unwrap_or(MAIN.0) == parent.0 && worker.when == when;
    for worker in program().workers.iter().filter(is_child) {
        spawn(worker);
    }
}

fn spawn(worker: &'static Worker) {
    let who = Who(worker.id);
    let name = who.to_string();
    say(who, "spawned");
    match worker.kind {
        Kind::Async if is_plain(worker) => {
            actions::leave_handle(who, graceful::spawn(&name, Watched::new(who)));
        }
        Kind::Async => start!(worker, Graceful::new(&name, move || Watched::new(who))),
        Kind::Blocking if is_plain(worker) => {
            let handle = graceful::spawn_blocking(&name, move || act_blocking(who));
            actions::leave_handle(who, handle);
        }
        Kind::Blocking if worker.policy == Some(Policy::Restart) => {
            start!(worker, blocking_restarts(who).named(&name));
        }
        Kind::Blocking => start!(worker, blocking(who).named(&name)),
        Kind::Every => start!(worker, every(who).named(&name)),
        Kind::Essential => start!(worker, essential(who).named(&name)),
        Kind::Restarts => start!(worker, restarts(who).named(&name)),
        Kind::Refuses => start!(worker, refuses(who).named(&name)),
        Kind::Hold => {
            let held = Held(who, hold(&name));
            let watched = Watched::new(who);
            tokio::spawn(async move {
                let _held = held;
                watched.await
            });
        }
        Kind::Untracked => drop(tokio::spawn(Watched::new(who))),
    }
}

/// Prints when it is released, a moment before that.
struct Held(Who, #[allow(dead_code)] Hold);

impl Drop for Held {
    fn drop(&mut self) {
        say(self.0, "released");
    }
}

fn is_plain(worker: &Worker) -> bool {
    worker.stage.is_none() && worker.own.is_none() && worker.policy.is_none()
}

/// The options that the call sets.
fn with<B>(worker: &Worker, mut made: Graceful<B>) -> Graceful<B> {
    if let Some(stage) = worker.stage {
        made = made.stage(match stage {
            Stage::Early => graceful::Stage::Early,
            Stage::Main => graceful::Stage::Main,
            Stage::Late => graceful::Stage::Late,
            Stage::Last => graceful::Stage::Last,
        });
    }
    if let Some(own) = worker.own {
        made = made.stop_timeout(Duration::from_millis(own));
    }
    made
}

fn on_failure(policy: Policy) -> OnFailure {
    match policy {
        Policy::Stop => OnFailure::Stop,
        Policy::Log => OnFailure::Log,
        Policy::Restart => OnFailure::Restart,
    }
}
