//! `#[graceful::test]`: a lifecycle in a test, on the test's own runtime, without signals.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;

use crate::ambient;
use crate::builder::Builder;
use crate::coordinator::Clock;
use crate::done::Ending;
use crate::lifecycle::Lifecycle;
use crate::message;
use crate::process::{self, Attended};
use crate::scribe::Scribe;
use crate::settings::Settings;
use crate::signal;
use crate::state::Cause;
use crate::stop;
use crate::thread;
use crate::watch;

/// Proof that the feature `test-util` is on: only then has tokio a clock that can be paused.
#[cfg(feature = "test-util")]
#[derive(Debug)]
pub struct PausedClock;

/// Runs a test inside a lifecycle of its own.
///
/// Not public API. Used by generated code.
///
/// # Panics
///
/// When the test panics; when a worker of it failed or panicked and the test did not take that result from the
/// worker's handle; and when the test or a worker had to be aborted.
#[track_caller]
pub fn test<F: Future>(builder: Builder, main: F) -> F::Output {
    let (options, runtime) = builder.into_parts();
    let settings = Settings::of_test(options);
    let (inbox, nudge) =
        signal::inbox().unwrap_or_else(|error| panic!("{}", message::no_inbox(&error)));
    let life = Lifecycle::new(settings, Scribe::new(None, true), nudge);
    let attended = Attended(Arc::clone(&life));
    let no_thread = |error| panic!("{}", message::no_thread(&error));
    life.scribe.start(|| {}).unwrap_or_else(no_thread);
    watch::start(&life, inbox, || {}).unwrap_or_else(no_thread);
    let runtime = runtime
        .build(&life, None)
        .unwrap_or_else(|error| panic!("{}", message::no_runtime(&error)));
    let enlisted = ambient::enlist_runtime(runtime.handle(), &life);
    let entered = thread::enter(&life);

    let ending = runtime.block_on(async {
        tokio::spawn(stop::conduct(Arc::clone(&life), Clock::Tokio));
        let ending = process::track_main(&life, main).await;
        life.begin_stop(Cause::MainEnded);
        Lifecycle::joined(&life).await;
        ending
    });
    runtime.shutdown_background();
    life.take_kept().for_each(drop);
    drop((entered, enlisted));
    life.scribe.flush(process::LAST_LINES);
    drop(attended);
    verdict(&life, ending)
}

/// The test's output, or the panic that fails it.
#[track_caller]
fn verdict<T>(life: &Lifecycle, ending: Option<Ending<T>>) -> T {
    let output = match ending {
        Some(Ending::Finished(output)) => output,
        Some(Ending::Panicked(payload)) => resume_unwind(payload),
        Some(Ending::Aborted) | None => panic!("{}", message::test_aborted(life.report.get())),
    };
    let (failures, more) = life.failures.unobserved();
    assert!(
        failures.is_empty() && more == 0 && life.report.get().is_none(),
        "{}",
        message::test_failed(&failures, more, life.report.get())
    );
    output
}

/// What unit tests share.
#[cfg(test)]
pub(crate) mod unit {
    use super::*;
    use crate::rows::RowId;
    use crate::settings::Options;
    use crate::state::Stage;
    use crate::thread::{Current, WakerId};

    /// A lifecycle without threads of its own.
    pub(crate) fn lifecycle() -> Arc<Lifecycle> {
        let settings = Settings::of_test(Options::default());
        let (_, nudge) = signal::inbox().expect("a socket pair");
        Lifecycle::new(settings, Scribe::new(None, true), nudge)
    }

    /// This thread is inside a poll of a worker of this row while `during` runs.
    pub(crate) fn poll(life: &Arc<Lifecycle>, row: RowId, during: impl FnOnce()) {
        let worker = Current {
            row,
            seat: None,
            stage: Stage::Main,
            scoped: false,
        };
        thread::polling(life, worker, WakerId::NONE, during);
    }
}
