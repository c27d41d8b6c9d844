//! Workers that this crate itself starts for its users, such as connections.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::life::scope::Scope;
use crate::model::label::{EntryId, Label};
use crate::model::outcome::Verdict;
use crate::model::policy::{OnFailure, Policy};
use crate::model::state::Stage;
use crate::work::ambient::Caller;
use crate::work::body::{Body, Once};
use crate::work::current;
use crate::work::registration::Registration;

/// An entry for workers of one name that come and go: the name is looked up once, no line says that none is left, and
/// what goes wrong in one of them is no failure of the process.
#[derive(Debug)]
pub(crate) struct OwnEntry {
    life: Arc<Lifecycle>,
    entry: EntryId,
    /// The caller's, when this was made.
    stage: Stage,
}

impl OwnEntry {
    /// In the caller's lifecycle, if there is one.
    pub(crate) fn new(name: &'static str, place: &'static Location<'static>) -> Option<Arc<Self>> {
        let caller = Caller::find()?;
        let stage = caller.stage();
        let life = caller.life;
        let policy = Policy { on_failure: Some(OnFailure::Log), ..Policy::new() };
        let label = Label { policy: Some(Arc::new(policy)), ..Label::at(name.into(), place) };
        let entry = life.registry.keep_named(label);
        Some(Arc::new(Self { life, entry, stage }))
    }

    pub(crate) fn life(&self) -> &Arc<Lifecycle> {
        &self.life
    }

    /// Starts a worker: a child of the worker that is being polled here, if one is. Returns whether it was started; it
    /// is not when its stage has ended or is being aborted.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> bool {
        let here = current::spawner().filter(|(local, ..)| Arc::ptr_eq(&local.life, &self.life));
        let (local, stage, parent) = here.unwrap_or_else(|| (current::local(&self.life), self.stage, None));
        if self.life.phase.is_aborting(stage) || parent.as_ref().is_some_and(Scope::is_line_aborted) {
            return false;
        }
        let Some(runtime) = self.life.runtime.get().filter(|_| self.life.arrive(local.thread, stage)) else {
            return false;
        };
        let entry = self.life.registry.get(self.entry);
        entry.start(local.thread);
        entry.note_parent(parent.as_ref());
        let registration = Registration::new(local, self.entry, stage, parent);
        Once { future, judge: Verdict::failure }.launch(registration, runtime, None);
        true
    }
}
