//! What the plan sees of a lifecycle.

use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};
use tokio::time::Instant;

use crate::life::lifecycle::Lifecycle;
use crate::model::hook::HookStage;
use crate::model::stall::Grace;
use crate::model::state::Stage;
use crate::stop::plan::World;

impl World for Lifecycle {
    fn now(&self) -> Instant {
        self.now()
    }

    fn put_off(&self, moment: Instant, grace: Grace) -> Instant {
        self.time.stall.put_off(moment, grace)
    }

    fn is_drained(&self) -> bool {
        self.phase.is_drained()
    }

    fn runs_hooks(&self, stage: HookStage) -> bool {
        self.hooks.is_running(stage)
    }

    fn after_stop_hooks(&self) -> usize {
        self.hooks.waiting(HookStage::AfterStop)
    }

    fn close_if_empty(&self, stages: &[Stage]) -> bool {
        !self.members.is_dropping() && !self.notifier.is_calling() && self.members.close_if_empty(stages)
    }

    fn is_dropping(&self) -> bool {
        self.members.is_dropping()
    }

    /// No result was left behind, no task is alive that could be dropping one, or no thread is running a task.
    fn is_settled(&self) -> bool {
        self.members.are_results_gone() || self.tasks_alive() == 0 || is_asleep(self.runtime.get())
    }
}

/// How many threads of the process's runtime may be running a task. Called on main's thread, which runs none.
pub(crate) fn awake_beside_main(runtime: &Handle) -> usize {
    match runtime.runtime_flavor() {
        RuntimeFlavor::CurrentThread => 0,
        _ => awake(&runtime.metrics()),
    }
}

/// Whether no thread of the runtime but the calling one is running a task. A thread that has run a worker to its end
/// is done with the result before it parks.
fn is_asleep(runtime: Option<&Handle>) -> bool {
    let Some(runtime) = runtime else {
        return true;
    };
    let is_here = Handle::try_current().is_ok_and(|here| here.id() == runtime.id());
    if is_here && runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
        return true;
    }
    let own = usize::from(is_here && tokio::task::try_id().is_some());
    awake(&runtime.metrics()) <= own
}

/// How many threads of a runtime are not parked. Each counts its parks and unparks.
#[cfg(target_has_atomic = "64")]
fn awake(runtime: &RuntimeMetrics) -> usize {
    (0..runtime.num_workers()).filter(|worker| runtime.worker_park_unpark_count(*worker).is_multiple_of(2)).count()
}

/// Where that cannot be counted, all of them may be awake.
#[cfg(not(target_has_atomic = "64"))]
fn awake(runtime: &RuntimeMetrics) -> usize {
    runtime.num_workers() + 1
}
