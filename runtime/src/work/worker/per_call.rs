//! What a call sets for one worker, where the attribute sets it for all of a function.

use std::sync::Arc;
use std::time::Duration;

use crate::model::label::Label;
use crate::model::name::ToName;
use crate::model::policy::{OnFailure, OnTimeout, Policy};
use crate::model::state::Stage;
use crate::say::refusals;
use crate::work::body::Body;
use crate::work::worker::{Name, Worker};

impl<B> Worker<B> {
    /// The same worker under another name in reports: one function, several roles.
    ///
    /// Give roles (`"consume-eu"`), not identities (`"connection-48151"`).
    pub fn named<'a>(mut self, name: &'a (impl ToName<'a> + ?Sized)) -> Self {
        self.label().name = name.to_name();
        self
    }

    /// When this one is told to stop: see [`Stage`]. It is then no child of the worker that spawns it.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.policy().stage = Some(stage);
        self
    }

    /// A budget of its own for this one, inside the process's: that long after it was told to stop it is aborted and
    /// named, with the workers below it. In a stop of the process the exit code is then 124.
    pub fn stop_timeout(mut self, budget: Duration) -> Self {
        self.policy().stop_timeout = Some(budget);
        self
    }

    /// What it means if this one does not end within its own `stop_timeout`: a failure, or a line in the log.
    pub fn on_timeout(mut self, on_timeout: OnTimeout) -> Self {
        self.policy().on_timeout = on_timeout;
        self
    }

    /// The process's stop begins when this one ends, however it ends, unless it was stopped through its handle.
    pub fn essential(mut self) -> Self {
        self.policy().essential = true;
        self
    }

    /// How many restarts are allowed within how long; one more is a failure of the process. For a worker whose failure
    /// means a restart; unlimited unless set.
    ///
    /// The waits of [`backoff`](Worker::backoff) bound how many can happen: a limit above that is never reached.
    ///
    /// # Panics
    ///
    /// For no restarts.
    #[track_caller]
    pub fn max_restarts(mut self, restarts: u32, within: Duration) -> Self {
        assert!(restarts > 0, "{}", refusals::NO_RESTARTS);
        self.policy().max_restarts = Some((restarts, within));
        self
    }

    /// The first and the longest wait before a restart: 100 ms and 10 s unless set. Each is twice the one before, less a
    /// jitter of up to a half.
    ///
    /// # Panics
    ///
    /// When the first is the longer one.
    #[track_caller]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        assert!(first <= longest, "{}", refusals::BACKOFF_BACKWARDS);
        self.policy().backoff = (first, longest);
        self
    }

    /// How long after it was spawned the first run of a worker with [`every`](Worker::every) begins: at once unless set.
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.policy().initial_delay = Some(delay);
        self
    }

    /// What a failure of a worker below this one means, unless that worker says so itself. Below this one are the
    /// workers that it starts, those that they start, and so on.
    ///
    /// With [`OnFailure::Parent`] a failure stays inside the part that this worker is: a worker whose helper fails has
    /// failed, and its policy decides.
    ///
    /// # Panics
    ///
    /// For [`OnFailure::Restart`]: whether a worker can be restarted is its own to say.
    #[track_caller]
    pub fn children_on_failure(mut self, on_failure: OnFailure) -> Self {
        assert!(on_failure != OnFailure::Restart, "{}", refusals::NO_RESTART_BY_DEFAULT);
        self.policy().children = Some(on_failure);
        self
    }

    fn policy(&mut self) -> &mut Policy {
        Arc::make_mut(self.label().policy.get_or_insert_with(|| Arc::new(Policy::new())))
    }

    fn label(&mut self) -> &mut Label {
        if let Name::Function(function) = self.name {
            let policy = Some(Arc::new(function.policy().clone()));
            self.name = Name::Given(Box::new(Label { policy, ..function.label().clone() }));
        }
        match &mut self.name {
            Name::Given(label) => label,
            Name::Function(_) => unreachable!("it was replaced"),
        }
    }
}

impl<B: Body> Worker<B> {
    /// What a failure of this one means.
    ///
    /// # Panics
    ///
    /// For [`OnFailure::Restart`], if the worker can be run once only: an annotated function runs again when its
    /// attribute says `on_failure = "restart"` or `every`, and so does a worker made by [`Worker::new`].
    #[track_caller]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        assert!(self.body.repeats() || on_failure != OnFailure::Restart, "{}", refusals::NO_RESTART);
        self.policy().on_failure = Some(on_failure);
        self
    }

    /// Runs this one periodically, from start to start: see the attribute's [`every`](macro@crate::worker). A failure
    /// of a run is then only logged, unless it has an `on_failure` of its own.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # struct Config { period: Duration }
    /// # #[graceful::main] async fn main() {
    /// # let config = Config { period: Duration::from_secs(60) };
    /// #[graceful::worker(every = "60s")]
    /// async fn sweep() { /* ... */ }
    ///
    /// sweep().every(config.period).initial_delay(config.period).spawn();
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// For a period of zero, and if the worker can be run once only: as [`on_failure`](Worker::on_failure).
    #[track_caller]
    pub fn every(mut self, period: Duration) -> Self {
        assert!(self.body.repeats(), "{}", refusals::NO_REPEAT);
        assert!(!period.is_zero(), "{}", refusals::NO_PERIOD);
        self.policy().every = Some(period);
        self
    }
}
