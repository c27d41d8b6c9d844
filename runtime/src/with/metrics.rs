//! Counters and gauges for the recorder of the [`metrics`](https://docs.rs/metrics) facade, where one is installed.
//! Feature `metrics`.
//!
//! The crate keeps the numbers anyway. The writer thread hands them to the recorder once a second and whenever the
//! state has changed, so that workers pay nothing and a recorder that blocks holds up none of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use ::metrics::{counter, gauge};

use crate::life::lifecycle::Lifecycle;
use crate::life::listeners::Recording;
use crate::model::hook::Progress;
use crate::model::outcome;
use crate::report::rows::{HookStatus, WorkerStatus};
use crate::report::status::Status;

/// A recording is queued: until the writer thread comes to it, or drops it because its queue is full. The lifecycle has
/// that queue, so what is in it holds no lifecycle.
struct Pending(Weak<Lifecycle>);

impl Pending {
    /// `None` where one is queued already.
    fn begin(life: &Arc<Lifecycle>) -> Option<Self> {
        let Recording(is_pending) = &life.listeners.recording;
        (!is_pending.swap(true, Ordering::AcqRel)).then(|| Self(Arc::downgrade(life)))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(life) = self.0.upgrade() {
            life.listeners.recording.0.store(false, Ordering::Release);
        }
    }
}

/// Queues a recording, unless one is queued already.
pub(crate) fn publish(life: &Arc<Lifecycle>) {
    if let Some(pending) = Pending::begin(life) {
        life.writer.run(move || {
            let life = pending.0.upgrade();
            drop(pending);
            let Some(life) = life else { return };
            let recorded = catch_unwind(AssertUnwindSafe(|| record(&Status::take(&life, None))));
            if let Err(payload) = recorded {
                outcome::discard(payload);
            }
        });
    }
}

fn record(status: &Status) {
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
    #[cfg(all(unix, feature = "upgrade"))]
    {
        gauge!("graceful_generation").set(status.upgrade.generation);
        gauge!("graceful_upgrade_under_way").set(f64::from(u8::from(status.upgrade.is_under_way)));
        counter!("graceful_upgrades_failed_total").absolute(status.upgrade.failed);
    }
    status.workers.iter().for_each(record_workers);
    status.hooks.iter().for_each(record_hook);
}

#[allow(clippy::cast_precision_loss)] // no process has 2^52 workers
fn record_workers(worker: &WorkerStatus) {
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
    gauge!("graceful_workers_restarting", "worker" => name()).set(worker.restarting as f64);
    if let Some(since) = worker.activity.since_progress {
        gauge!("graceful_since_progress_seconds", "worker" => name()).set(since);
    }
    counter!("graceful_restarts_total", "worker" => name()).absolute(worker.restarted);
    counter!("graceful_aborted_total", "worker" => name()).absolute(worker.aborted);
}

fn record_hook(hook: &HookStatus) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::test::unit::lifecycle;

    #[test]
    fn a_recording_that_the_writer_never_makes_keeps_no_lifecycle() {
        let life = lifecycle();
        publish(&life);
        assert_eq!(Arc::strong_count(&life), 1);
    }
}
