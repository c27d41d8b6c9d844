//! Questions about main, a worker or a hook.

use crate::facts::{Actor, Hooked, MS, Mark, Stretch};
use crate::program::{Kind, Moment, Outcome, Policy, Stage, Until};
use crate::run::Time;

impl Actor {
    pub(crate) fn kind(&self) -> Kind {
        self.worker.map_or(Kind::Async, |worker| worker.kind)
    }

    pub(crate) fn policy(&self) -> Policy {
        let default = match self.kind() {
            Kind::Every => Policy::Log,
            Kind::Restarts => Policy::Restart,
            _ => Policy::Stop,
        };
        self.worker.and_then(|worker| worker.policy).unwrap_or(default)
    }

    pub(crate) fn is_main(&self) -> bool {
        self.worker.is_none()
    }

    /// The stop waits for it.
    pub(crate) fn is_tracked(&self) -> bool {
        self.kind() != Kind::Untracked
    }

    pub(crate) fn is_worker(&self) -> bool {
        !self.is_main() && !matches!(self.kind(), Kind::Untracked | Kind::Hold)
    }

    /// It may run more than once.
    pub(crate) fn repeats(&self) -> bool {
        self.kind() == Kind::Every || self.policy() == Policy::Restart
    }

    /// Its thread may live on after it has been aborted.
    pub(crate) fn is_detached(&self) -> bool {
        self.kind() == Kind::Blocking
    }

    /// Its thread lives on after its own budget has aborted it.
    pub(crate) fn is_thread_left(&self) -> bool {
        self.is_detached() && self.own().is_some()
    }

    /// Its own budget.
    pub(crate) fn own(&self) -> Option<Time> {
        let own = self.worker?.own?;
        Some(Time::try_from(own).unwrap_or_default() * MS)
    }

    /// It may be dropped before its stage is aborted.
    pub(crate) fn is_given_up(&self) -> bool {
        self.aborted_alone.is_some() || self.is_bounded
    }

    /// It was told to stop by then, apart from its stage.
    pub(crate) fn is_alone_by(&self, at: Mark) -> bool {
        self.stopped_alone.is_some_and(|mark| mark.at <= at.at + MS)
    }

    /// Whether it checks for the stop while it waits.
    pub(crate) fn looks(&self) -> bool {
        matches!(self.body.until, Until::Told | Until::Either)
    }

    pub(crate) fn last(&self) -> Option<&Stretch> {
        self.runs.last()
    }

    pub(crate) fn begun(&self) -> Option<Mark> {
        self.runs.first()?.begun
    }

    /// Its place in the order in which stages are told to stop: early and main together, late, last.
    pub(crate) fn turn(&self) -> usize {
        match self.stage {
            Stage::Early | Stage::Main => 0,
            Stage::Late => 1,
            Stage::Last => 2,
        }
    }

    /// When it was last seen alive; `None`: its end was not seen.
    pub(crate) fn end(&self) -> Option<Mark> {
        self.last()?.gone
    }
}

impl Hooked {
    pub(crate) fn begun(&self) -> Option<Mark> {
        self.tries.first()?.begun
    }

    /// How its last try ended.
    pub(crate) fn end(&self) -> Option<(Mark, Outcome)> {
        self.tries.last()?.ends
    }

    /// Its end is one: an error of `on_stop` is the third.
    pub(crate) fn is_over(&self) -> bool {
        self.end()
            .is_some_and(|(_, how)| how != Outcome::Err || self.hook.moment != Moment::On || self.tries.len() == 3)
    }
}
