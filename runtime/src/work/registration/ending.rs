//! How a registration ends: what its code came to, what that means for others, and what is given back.

use std::any::Any;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::{Facts, Registration};
use crate::life::phase::Interest;
use crate::life::scope::Scope;
use crate::model::exit::{Exit, ExitKind, Judged};
use crate::model::failure::{Failure, FailureKind};
use crate::model::label::EntryId;
use crate::work::completion::Completion;
use crate::work::failing;
use crate::work::linger::Linger;
use crate::work::parking;

impl Registration {
    /// It was aborted: aborts what it has started as well.
    #[cold]
    pub(crate) fn aborted<T>(&mut self) -> Completion<T> {
        self.abort_children();
        self.ended_otherwise(Exit::Aborted, None)
    }

    /// It fails because of what it has started.
    #[cold]
    pub(crate) fn failed_by_child<T>(&mut self, child: &Failure) -> Completion<T> {
        let failure = Failure::of_child(self.subject(), child);
        let text = failure.to_string();
        self.fail(failure);
        self.ended_otherwise(Exit::ChildFailed(text.into()), None)
    }

    /// Polls the wait for what it has started, after its own code has ended.
    pub(crate) fn poll_children_gone(&self, wait: &mut Linger, context: &mut Context<'_>) -> Poll<()> {
        if self.is_aborted(self.interest()) {
            self.abort_children();
        }
        let gone = wait.as_mut().poll(context);
        if let Some(failure) = self.childs_failure(context.waker()) {
            self.failed_by_child_later(&failure);
        }
        gone
    }

    /// It fails because of what it has started, after its own code has ended.
    #[cold]
    fn failed_by_child_later(&self, child: &Failure) {
        self.fail_in_the_end(Failure::of_child(self.subject(), child));
        if let Some(children) = &self.kin.children {
            parking::stop_scope(self.life(), children);
        }
    }

    /// The code has ended well.
    #[inline]
    pub(crate) fn ended_well<T>(&mut self, result: T) -> Completion<T> {
        self.facts.set_kind(ExitKind::Returned);
        Completion::of_result(result, self.life(), self.entry)
    }

    /// The code has ended. An error that no supervisor has dealt with is what the policy makes of it.
    pub(crate) fn ended<T>(&mut self, judged: Judged<T>) -> Completion<T> {
        match judged {
            Judged::Well(result) => {
                if self.facts.has(Facts::ESSENTIAL) {
                    self.essential_has_ended();
                }
                self.ended_well(result)
            }
            Judged::Otherwise(exit) => {
                let (exit, error) = *exit;
                self.ended_otherwise(exit, error)
            }
        }
    }

    #[cold]
    fn ended_otherwise<T>(&mut self, exit: Exit<T>, error: Option<String>) -> Completion<T> {
        self.facts.set_kind(exit.kind());
        if let Some(text) = error {
            self.fail(Failure::new(self.subject(), FailureKind::Error(text)));
        }
        // Where they are aborted, they have been told.
        if let Some(children) = self.kin.children.as_ref().filter(|children| !children.is_line_aborted()) {
            parking::stop_scope(self.life(), children);
        }
        if self.facts.has(Facts::ESSENTIAL) {
            self.essential_has_ended();
        }
        Completion::of_exit(exit, self.life(), self.entry)
    }

    /// By itself.
    #[cold]
    fn essential_has_ended(&mut self) {
        self.facts.set(Facts::ESSENTIAL, false);
        self.essential_ended();
    }

    /// `returned`: its code had returned, and a destructor panicked afterwards.
    #[cold]
    pub(crate) fn panicked<T>(&mut self, payload: Box<dyn Any + Send>, returned: bool) -> Completion<T> {
        if returned {
            self.destructor_panicked();
        } else {
            self.fail(Failure::new(self.subject(), FailureKind::panic(payload.as_ref())));
        }
        self.ended_otherwise(Exit::Panicked(payload), None)
    }

    pub(super) fn destructor_panicked(&self) {
        self.fail(Failure::new(self.subject(), FailureKind::Destructor));
    }

    #[cold]
    fn essential_ended(&self) {
        // Without a slot it is not known to be told by a worker above it.
        if self.kin.parent.as_ref().is_some_and(Scope::is_line_stopped) {
            return;
        }
        failing::essential_ended(self.life(), self.entry, self.stage, self.slot);
    }

    /// The part of its end that few need.
    #[cold]
    fn end_specially(&self) {
        if self.facts.has(Facts::ESSENTIAL) {
            // Dropped from outside, before it has ended by itself.
            self.essential_ended();
        }
        if self.life().phase.may_be_aborted(self.interest()) {
            parking::forget_abort(self.life());
        }
        if !self.life().phase.is_undisturbed(self.interest()) {
            self.note_stopped();
        }
        if self.facts.has(Facts::LINGERS) {
            self.life().registry.get(self.entry).lingering.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Its own code has ended. One with a supervisor was aborted then: the supervisor is gone.
    #[cold]
    fn fail_in_the_end(&self, failure: Failure) {
        if self.facts.has(Facts::SUPERVISED) {
            let failure = failure.of_task(tokio::task::try_id());
            failing::by_policy_in_the_end(self.life(), self.entry, self.kin.parent.as_ref(), failure);
        } else {
            self.fail(failure);
        }
    }

    /// Nothing waits for what it has started any more.
    #[cold]
    fn orphan(&self) {
        if let Some(child) = self.kin.orphan() {
            self.fail_in_the_end(Failure::of_child(self.subject(), &child));
        }
    }

    /// A worker that was stopped has not ended by itself: no line says that its entry is idle.
    #[cold]
    fn note_stopped(&self) {
        if parking::is_stopping(self.life(), self.stage, self.slot) {
            self.life().registry.get(self.entry).note_stopped();
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let is_quiet = self.life().phase.is_quiet(Interest::of(self.stage, false));
        if !is_quiet || self.facts.has(Facts::ESSENTIAL.or(Facts::SCOPED).or(Facts::LINGERS)) {
            self.end_specially();
        }
        if let Some(slot) = self.slot {
            self.life().slots.leave(slot, is_quiet);
        }
        if self.entry == EntryId::MAIN {
            self.life().main_gone();
            return;
        }
        let thread = self.local.thread;
        let entry = self.life().registry.get(self.entry);
        entry.end(thread, self.facts.kind());
        if !is_quiet && entry.live() == 0 {
            self.life().note_end(entry);
        }
        if self.kin.children.is_some() {
            self.orphan();
        }
        if let Some(parent) = &self.kin.parent {
            parking::leave(self.life(), parent);
        }
        self.life().leave(thread, self.stage);
    }
}
