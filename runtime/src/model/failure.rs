//! What went wrong first, and the exit code that follows from it.

use std::any::Any;
use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::Id;

use crate::model::hook::HookStage;
use crate::model::text;
use crate::os::lock::Lock;
use crate::os::signal::Signal;

/// A worker failed and the policy was to stop; also what std gives for main's `Err`.
pub(crate) const FAILED: u8 = 1;
/// The configuration is wrong; main was not run.
pub(crate) const MISCONFIGURED: u8 = 2;
/// Main or a worker panicked: what std gives.
pub(crate) const PANICKED: u8 = 101;
/// The deadline passed with work still running: what `timeout(1)` gives.
pub(crate) const OUT_OF_TIME: u8 = 124;
/// A second interrupt forced the exit: 128 + SIGINT, as shells give it.
pub(crate) const FORCED: u8 = 130;

/// Failures beyond these are counted, not kept.
const KEPT: usize = 32;

/// One thing that went wrong.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) subject: Subject,
    pub(crate) kind: FailureKind,
    pub(crate) code: u8,
    /// How many restarts within how long came before it: as many as its worker is allowed.
    pub(crate) restarted: Option<(u32, Duration)>,
    task: Option<Id>,
}

/// What failed.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Main,
    /// Its name, and where it is defined.
    Worker(Arc<str>, Arc<str>),
    Hook(HookStage, Arc<str>),
}

/// How it failed, with the text of the error or the panic.
#[derive(Clone, Debug)]
pub(crate) enum FailureKind {
    Error(String),
    /// Main's own exit code; std has printed the error.
    Code(u8),
    Panic(String),
    /// It did not stop within its own budget, or its share, and was aborted.
    Overrun(Duration),
    /// A worker that it has started has failed, and its policy passes that up.
    Child(String),
    /// It was not run: no time was left, or it came too late.
    NotRun,
    /// A destructor panicked; the panic hook has printed the text.
    Destructor,
}

/// The reason of an exit code that is main's.
pub(crate) const MAINS_OWN: &str = "main's own";

impl FailureKind {
    pub(crate) fn panic(payload: &(dyn Any + Send)) -> Self {
        Self::Panic(text::of_panic(payload).to_owned())
    }
}

impl Subject {
    /// As reports show it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Main => "main".to_owned(),
            Self::Worker(name, _) | Self::Hook(_, name) => text::name(name),
        }
    }
}

impl Failure {
    pub(crate) fn new(subject: Subject, kind: FailureKind) -> Self {
        let code = match (&kind, &subject) {
            (FailureKind::Code(code), _) => *code,
            (FailureKind::Overrun(_), _) => OUT_OF_TIME,
            (_, Subject::Hook(..)) => FAILED,
            (FailureKind::Panic(_) | FailureKind::Destructor, _) => PANICKED,
            _ => FAILED,
        };
        Self { subject, kind, code, restarted: None, task: None }
    }

    /// A member of what this one has started has passed its failure up.
    pub(crate) fn of_child(subject: Subject, child: &Self) -> Self {
        let kind = FailureKind::Child(text::cut(&child.to_string()));
        Self { code: child.code, ..Self::new(subject, kind) }
    }

    /// Main's own exit code, and nothing else.
    pub(crate) fn is_mains(&self) -> bool {
        matches!(self.kind, FailureKind::Code(_))
    }

    /// The failure as the reason of an exit code.
    pub(crate) fn reason(&self) -> String {
        if self.is_mains() { MAINS_OWN.to_owned() } else { self.to_string() }
    }

    /// The worker is allowed no more restarts than these.
    pub(crate) fn after_restarts(mut self, allowed: Option<(u32, Duration)>) -> Self {
        self.restarted = allowed;
        self
    }

    /// Records the worker's task, so that its handle can mark the failure as observed.
    pub(crate) fn of_task(mut self, task: Option<Id>) -> Self {
        self.task = task;
        self
    }
}

/// What went wrong, in order. The first decides the exit code.
#[derive(Debug, Default)]
pub(crate) struct Failures(Lock<List>);

#[derive(Debug, Default)]
struct List {
    code: Option<u8>,
    /// The code comes from no failure: the deadline or an interrupt came first.
    settled: bool,
    kept: Vec<Failure>,
    more: usize,
    /// Tasks whose failure was kept, and returned by their handle.
    observed: Vec<Id>,
    /// Tasks whose failure was only counted, and not yet returned by their handle.
    unobserved: HashSet<Id>,
    /// How many of the failures that were only counted a handle has returned.
    more_observed: usize,
}

impl Failures {
    pub(crate) fn add(&self, failure: Failure) {
        let mut list = self.0.lock();
        list.code.get_or_insert(failure.code);
        if list.kept.len() < KEPT {
            list.kept.push(failure);
        } else {
            list.more += 1;
            list.unobserved.extend(failure.task);
        }
    }

    /// The deadline passed, or an interrupt forced the exit: `code`, unless something had failed before.
    pub(crate) fn settle(&self, code: u8) -> u8 {
        let mut list = self.0.lock();
        list.settled |= list.code.is_none();
        *list.code.get_or_insert(code)
    }

    /// The failure that decided the exit code, if it was one.
    pub(crate) fn decisive(&self) -> Option<Failure> {
        let list = self.0.lock();
        list.kept.first().filter(|_| !list.settled).cloned()
    }

    /// The exit code as it stands.
    pub(crate) fn code(&self) -> u8 {
        self.0.lock().code.unwrap_or(0)
    }

    /// This task's handle has returned its failure.
    pub(crate) fn observe(&self, task: Id) {
        let mut list = self.0.lock();
        if list.kept.iter().any(|failure| failure.task == Some(task)) {
            list.observed.push(task);
        } else if list.unobserved.remove(&task) {
            list.more_observed += 1;
        }
    }

    /// Whether nothing failed, or nothing but main's own result.
    pub(crate) fn are_mains_alone(&self) -> bool {
        let list = self.0.lock();
        list.more == 0 && list.kept.iter().all(Failure::is_mains) && !list.settled
    }

    /// What was kept, and how many more there were.
    pub(crate) fn list(&self) -> (Vec<Failure>, usize) {
        let list = self.0.lock();
        (list.kept.clone(), list.more)
    }

    /// The kept failures that no handle has returned, and how many more of those there were.
    pub(crate) fn unobserved(&self) -> (Vec<Failure>, usize) {
        let list = self.0.lock();
        let taken = |failure: &&Failure| failure.task.is_none_or(|task| !list.observed.contains(&task));
        let kept = list.kept.iter().filter(taken).cloned().collect();
        (kept, list.more - list.more_observed)
    }
}

/// The code that shells give to a death by a signal.
pub(crate) fn of_signal(signal: Signal) -> u8 {
    u8::try_from(signal.number()).map_or(FAILED, |number| number.saturating_add(128))
}

/// The number inside main's own exit code. Std has no getter, but lets codes be compared.
pub(crate) fn number(code: ExitCode) -> u8 {
    (0..=u8::MAX).find(|&number| ExitCode::from(number) == code).unwrap_or(FAILED)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Something that bears on the exit code.
    #[derive(Clone, Debug)]
    enum Event {
        Error,
        Panic,
        MainsCode(u8),
        HookOverruns,
        Settled(u8),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            Just(Event::Error),
            Just(Event::Panic),
            (1..=u8::MAX).prop_map(Event::MainsCode),
            Just(Event::HookOverruns),
            prop_oneof![Just(OUT_OF_TIME), Just(FORCED)].prop_map(Event::Settled),
        ];
        vec(event, 0..50)
    }

    fn code_of(event: &Event) -> u8 {
        match event {
            Event::Error => FAILED,
            Event::Panic => PANICKED,
            Event::HookOverruns => OUT_OF_TIME,
            Event::MainsCode(code) | Event::Settled(code) => *code,
        }
    }

    fn failures(events: &[Event]) -> Failures {
        let failures = Failures::default();
        for event in events {
            let subject = Subject::Worker("w".into(), "w.rs:1".into());
            match event {
                Event::Error => failures.add(Failure::new(subject, FailureKind::Error(String::new()))),
                Event::Panic => failures.add(Failure::new(subject, FailureKind::panic(&""))),
                Event::MainsCode(code) => failures.add(Failure::new(Subject::Main, FailureKind::Code(*code))),
                Event::HookOverruns => {
                    failures.add(Failure::new(subject, FailureKind::Overrun(Duration::ZERO)));
                }
                Event::Settled(code) => {
                    failures.settle(*code);
                }
            }
        }
        failures
    }

    #[test]
    fn thirty_two_failures_are_kept_and_the_next_is_counted() {
        let (kept, more) = failures(&vec![Event::Error; KEPT + 1]).list();
        assert_eq!((kept.len(), more), (KEPT, 1));
    }

    #[test]
    fn a_death_by_a_signal_is_128_and_its_number() {
        assert_eq!(of_signal(Signal::Interrupt), FORCED);
        assert_eq!(of_signal(Signal::Terminate), 143);
    }

    proptest! {
        #[test]
        fn what_came_first_decides(events in events()) {
            let expected = events.first().map_or(0, code_of);
            prop_assert_eq!(failures(&events).code(), expected);
        }

        #[test]
        fn the_reason_is_a_failure_only_if_one_came_first(events in events()) {
            let is_failure = |event: &Event| !matches!(event, Event::Settled(_));
            let decisive = failures(&events).decisive();
            prop_assert_eq!(decisive.is_some(), events.first().is_some_and(is_failure));
            if let Some(decisive) = decisive {
                prop_assert_eq!(decisive.code, failures(&events).code());
            }
        }

        #[test]
        fn every_failure_is_kept_or_counted(events in events()) {
            let failed = events.iter().filter(|event| !matches!(event, Event::Settled(_)));
            let (kept, more) = failures(&events).list();
            prop_assert_eq!(kept.len() + more, failed.count());
        }

        #[test]
        fn only_a_stop_in_which_nothing_else_failed_may_end_by_its_signal(events in events()) {
            let is_mains = |event: &Event| matches!(event, Event::MainsCode(_));
            let came_first = events.first().is_none_or(is_mains);
            let others = events.iter().any(|event| !is_mains(event) && !matches!(event, Event::Settled(_)));
            prop_assume!(events.len() <= KEPT);
            prop_assert_eq!(failures(&events).are_mains_alone(), came_first && !others);
        }
    }
}
