//! How things are, for the recorder of the [`metrics`](https://docs.rs/metrics) facade, where one is installed.
//! Feature `metrics`.
//!
//! The counters are kept anyway: the recorder is told once a second and whenever the state has changed, by the
//! thread that writes, so that workers pay nothing and a recorder that blocks holds nobody up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::metrics::{counter, gauge};

use crate::life::lifecycle::Lifecycle;
use crate::life::listeners::Recording;
use crate::model::hook::Progress;
use crate::model::outcome;
use crate::report::status::{HookStatus, Status, WorkerStatus};

/// The recorder is about to be told: until the thread that writes comes to it, or has so much to write that it never
/// does.
struct Pending(Arc<Lifecycle>);

impl Pending {
    /// Unless it is about to be anyway.
    fn begin(life: &Arc<Lifecycle>) -> Option<Self> {
        let Recording(is_pending) = &life.listeners.recording;
        (!is_pending.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(life)))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.listeners.recording.0.store(false, Ordering::Release);
    }
}

/// Has the recorder told, unless it is about to be.
pub(crate) fn publish(life: &Arc<Lifecycle>) {
    if let Some(pending) = Pending::begin(life) {
        life.writer.run(move || {
            let life = Arc::clone(&pending.0);
            drop(pending);
            let told = catch_unwind(AssertUnwindSafe(|| tell(&Status::take(&life, None))));
            if let Err(payload) = told {
                outcome::discard(payload);
            }
        });
    }
}

fn tell(status: &Status) {
    gauge!("graceful_state").set(f64::from(status.state as u8));
    let timings = [
        ("running", status.timings.running),
        ("draining", status.timings.draining),
        ("stopping", status.timings.stopping),
        ("closing", status.timings.closing),
    ];
    for (state, took) in timings {
        gauge!("graceful_stop_seconds", "state" => state).set(took);
    }
    status.workers.iter().for_each(tell_of_workers);
    status.hooks.iter().for_each(tell_of_hook);
}

#[allow(clippy::cast_precision_loss)] // nobody has 2^52 workers
fn tell_of_workers(worker: &WorkerStatus) {
    let name = || worker.name.clone();
    let outcomes = [
        ("finished", worker.finished),
        ("failed", worker.failed),
        ("panicked", worker.panicked),
        ("aborted", worker.aborted),
        ("refused", worker.refused),
    ];
    for (outcome, count) in outcomes {
        counter!("graceful_workers", "worker" => name(), "outcome" => outcome).absolute(count);
    }
    gauge!("graceful_workers_live", "worker" => name()).set(worker.live as f64);
    counter!("graceful_restarts_total", "worker" => name()).absolute(worker.restarted);
    counter!("graceful_aborted_total", "worker" => name()).absolute(worker.aborted);
}

fn tell_of_hook(hook: &HookStatus) {
    let labels = [("hook", hook.name.clone()), ("stage", hook.stage.to_string())];
    if let Some(took) = hook.took {
        gauge!("graceful_hook_seconds", &labels).set(took);
    }
    let has_failed = match hook.progress {
        Progress::Failed | Progress::Panicked | Progress::Aborted | Progress::NotRun => 1,
        Progress::Waiting | Progress::Running | Progress::Done => 0,
    };
    counter!("graceful_hook_failures_total", &labels).absolute(has_failed);
}
