//! `#[graceful::test]`: a lifecycle in a test, on the test's own runtime, without signals.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::life::running_tests::Running;
use crate::model::budget::{EXIT_FUNCTIONS, LAST_LINES};
use crate::model::exit::Exit;
use crate::model::settings::Settings;
use crate::model::state::Cause;
use crate::os::signal;
use crate::run::builder::Builder;
use crate::run::process;
use crate::run::process::Attended;
use crate::run::process::OTHERS;
use crate::say::refusals;
use crate::say::writer::Writer;
use crate::stop::driver::Driver;
use crate::stop::watch;
use crate::work::{ambient, at_exit, current};

/// Runs a test inside a lifecycle of its own.
///
/// Not public API. Used by generated code.
///
/// # Panics
///
/// When the test panics; when one of its workers failed or panicked and the test did not take that result from the
/// worker's handle; and when the test or a worker had to be aborted.
#[track_caller]
pub fn test<F: Future>(builder: Builder, main: F) -> F::Output {
    let settings = Settings { is_test: true, ..builder.settings };
    let _running = Running::begin();
    let (inbox, wakeup) = signal::inbox().unwrap_or_else(|error| panic!("graceful: {}", refusals::no_inbox(&error)));
    let life = Lifecycle::new(settings, Writer::new(None, true), wakeup);
    let driver = Driver::default();
    let attended = Attended(Arc::clone(&life));
    let no_thread = |error| panic!("graceful: {}", refusals::no_thread(&error));
    life.writer.start(|| {}).unwrap_or_else(no_thread);
    watch::start(&life, inbox, &driver, OTHERS, || {}).unwrap_or_else(no_thread);
    let runtime =
        builder.runtime.build(&life, None).unwrap_or_else(|error| panic!("graceful: {}", refusals::no_runtime(&error)));
    let enlisted = ambient::enlist_runtime(runtime.handle(), &life);
    let entered = current::enter(&life);

    let exit = runtime.block_on(async {
        tokio::spawn(driver.clone().drive(Arc::clone(&life)));
        let exit = process::track_main(&life, main).await;
        life.begin_stop(Cause::MainEnded);
        driver.joined(&life).await;
        exit
    });
    runtime.shutdown_background();
    life.teardown.take_kept().for_each(drop);
    at_exit::run(&life, EXIT_FUNCTIONS);
    drop((entered, enlisted));
    life.writer.flush(LAST_LINES);
    drop(attended);
    verdict(&life, exit)
}

/// The test's output, or the panic that fails it.
#[track_caller]
fn verdict<T>(life: &Lifecycle, exit: Exit<T>) -> T {
    let output = match exit {
        Exit::Returned(output) | Exit::Failed(output) => output,
        Exit::Panicked(payload) => resume_unwind(payload),
        Exit::Aborted | Exit::ChildFailed(_) => panic!("{}", refusals::test_aborted(life.diagnostics.report.get())),
    };
    let (failures, more) = life.diagnostics.failures.unobserved();
    assert!(
        failures.is_empty() && more == 0 && life.diagnostics.report.get().is_none(),
        "{}",
        refusals::test_failed(&failures, more, life.diagnostics.report.get())
    );
    output
}

/// What unit tests share.
#[cfg(test)]
pub(crate) mod unit {
    use super::*;
    use crate::life::phase::Interest;
    use crate::life::scope::Kin;
    use crate::model::label::EntryId;
    use crate::model::state::Stage;
    use crate::work::polled::Current;
    use crate::work::polled::WakerId;

    /// A lifecycle without threads of its own.
    pub(crate) fn lifecycle() -> Arc<Lifecycle> {
        let settings = Settings { is_test: true, ..Settings::default() };
        let (_, wakeup) = signal::inbox().expect("a socket pair");
        Lifecycle::new(settings, Writer::new(None, true), wakeup)
    }

    /// Runs `during` as if this thread were polling a worker of this entry.
    pub(crate) fn poll(life: &Arc<Lifecycle>, entry: EntryId, during: impl FnOnce()) {
        let worker = Current { entry, slot: None, interest: Interest::of(Stage::Main, false) };
        current::polling(life, worker, &mut Kin::default(), WakerId::NONE, during);
    }
}
