//! The lines of start, stop and report; the other files of `say` have those of their subject. What a stuck worker or a
//! cause is called is its `Display` in `model`.

use std::any::Any;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use crate::model::awaits::Await;
use crate::model::budget::Budget;
use crate::model::failure;
use crate::model::failure::Subject;
use crate::model::hook::{HookStage, Progress};
use crate::model::label::Label;
use crate::model::settings::{NO_LIMIT, Settings, Source, VARIABLES};
use crate::model::stall::Why;
use crate::model::state::{Cause, State};
use crate::model::still_running::{Cycle, Stuck};
use crate::model::text::{cut, listed, name, of_panic, span};
use crate::os::signal::Signal;
use crate::say::line::{Level, Line, To};

// ----- start -----

pub(crate) fn started(settings: &Settings) -> Line {
    let signals = settings.signals.iter().map(|signal| signal.name()).collect::<Vec<_>>().join(", ");
    let (timeout, from) = (limit(settings.stop_timeout), settings.stop_timeout_from);
    let (drain, drain_from) = (span(settings.drain), settings.drain_from);
    let start = settings.extend_start.map_or_else(String::new, |longest| format!("; extend_start {}", limit(longest)));
    Line::debug(format!("stop_timeout {timeout} ({from}); drain {drain} ({drain_from}); signals {signals}{start}"))
}

/// A drain is half of the budget at the most.
pub(crate) fn drain_is_cut(settings: &Settings) -> Option<Line> {
    let half = settings.stop_timeout / 2;
    let (drain, budget) = (span(settings.drain), limit(settings.stop_timeout));
    (settings.drain > half).then(|| {
        Line::warn(format!(
            "drain is {drain}, more than half of stop_timeout ({budget}), and cut to {}: set GRACEFUL_DRAIN to less, or \
             GRACEFUL_STOP_TIMEOUT to more",
            span(half)
        ))
    })
}

/// Names that begin as those of this crate do, and mean nothing to it.
pub(crate) fn unknown_variables(settings: &Settings) -> Option<Line> {
    let unknown = settings.unknown.iter().map(|variable| name(variable)).collect::<Vec<_>>();
    let known = VARIABLES.join(", ");
    let list = listed(unknown.into_iter());
    (!list.is_empty()).then(|| Line::warn(format!("in the environment: {list} means nothing here; there are {known}")))
}

/// The budget is no shorter than what the platform grants: SIGKILL comes first. Where that can be set and the budget
/// was, both may well be right.
pub(crate) fn killed_before_the_deadline(settings: &Settings) -> Option<Line> {
    let platform = settings.platform.filter(|platform| settings.stop_timeout >= platform.grace)?;
    let (name, grace, budget) = (platform.name, span(platform.grace), limit(settings.stop_timeout));
    let (unless, what) = match platform.setting {
        Some(setting) => (format!(" unless {setting} says otherwise"), format!("set {setting}, or ")),
        None => (String::new(), String::new()),
    };
    let is_chosen = platform.setting.is_some() && settings.stop_timeout_from != Source::Default;
    let level = if is_chosen { Level::Debug } else { Level::Warn };
    let text = format!(
        "{name} sends SIGKILL {grace} after it has asked for the stop{unless}, and stop_timeout is {budget}: {what}set \
         GRACEFUL_STOP_TIMEOUT to less than {grace}"
    );
    Some(Line::new(level, text))
}

// ----- the stop -----

/// Whether a person pressed Ctrl-C.
pub(crate) fn is_pressed(cause: &Cause) -> bool {
    matches!(cause, Cause::Signal(Signal::Interrupt)) && io::stderr().is_terminal()
}

pub(crate) fn stopping(cause: &Cause, drain: Option<Duration>, budget: &Budget) -> Line {
    let longest = budget.total().map_or(Duration::MAX, |total| total / 2);
    let drain = drain.map_or_else(String::new, |drain| format!("serving for another {}, ", span(drain.min(longest))));
    let limit = match budget.total() {
        Some(total) => format!("{drain}gone in {} at the latest", span(total)),
        None => format!("{drain}no time limit"),
    };
    let line = match cause {
        cause if is_pressed(cause) => Line::info(format!("stopping; press Ctrl-C again to quit now ({limit})")),
        // The usual end of a program that does one thing: not worth a line.
        Cause::MainEnded => Line::debug(format!("stopping: {cause}; {limit}")),
        _ => Line::info(format!("stopping: {cause}; {limit}")),
    };
    let line = match cause {
        Cause::Signal(signal) => line.signal(*signal),
        Cause::Failure(worker) | Cause::Essential(worker) => line.named(worker),
        Cause::Request(_) | Cause::MainEnded | Cause::Upgraded(_) => line,
    };
    line.cause(cause).before(budget.total())
}

pub(crate) fn stood_still(late: Duration, why: Why) -> Line {
    let why = match why {
        Why::Frozen => "it was stopped or frozen",
        Why::Busy => "the machine is too busy",
        Why::Unknown => "it was stopped or frozen, or the machine is too busy",
    };
    Line::warn(format!(
        "the process stood still for at least {}: {why}; work that is due gets a moment to finish",
        span(late)
    ))
}

/// `has_failed`: as far as is known.
pub(crate) fn main_ended_first(left: &[Stuck], has_failed: Option<bool>) -> Line {
    let (how, advice) = match has_failed {
        Some(true) => ("failed", ""),
        Some(false) => ("ended", "; to run until a signal, main awaits graceful::stopping()"),
        None => ("ended", ""),
    };
    Line::warn(format!("main {how} while workers were still running; stopping them: {}{advice}", names(left)))
}

pub(crate) fn still_waiting(left: &[Stuck], waited: Duration, remaining: Option<Duration>) -> Line {
    let each = |stuck: &Stuck| format!("{} ({})", stuck.tally(), span(waited));
    Line::warn(format!("still waiting for: {}", listed(left.iter().map(each))))
        .after(waited)
        .before(remaining)
        .to(To::InAnyCase)
}

pub(crate) fn waits_in_a_cycle(worker: &str, cycle: Cycle) -> Line {
    let worker = name(worker);
    let why = match cycle {
        Cycle::Itself => "awaits its own handle",
        Cycle::Above => "is awaited by a worker below it, and has ended only when that one has",
        Cycle::LaterStage => {
            "is awaited by main or a worker of an earlier stage and will not be told to stop before that one ends"
        }
    };
    Line::warn(format!("deadlock: `{worker}` {why}; only the deadline resolves it")).named(&worker)
}

/// What a worker's next run, or its handle, waits for.
pub(crate) fn waits_for_children(
    worker: &str,
    is_restart: bool,
    children: impl Iterator<Item = String>,
    waited: Duration,
) -> Line {
    let what = if is_restart { format!("restart of {worker}") } else { worker.to_owned() };
    let listed = listed(children);
    let children = if listed.is_empty() { "what it has started" } else { &listed };
    Line::warn(format!("{what} waits for {children} ({})", span(waited))).named(worker)
}

/// Written once per function, so that workers that come and go do not fill the log.
pub(crate) fn ended_early(worker: &Label, ended: u64) -> Line {
    let times = match ended {
        1 => String::new(),
        ended => format!(" ({ended} so far)"),
    };
    let (who, place) = (name(&worker.name), worker.location());
    Line::info(format!("worker `{who}` ({place}) ended by itself{times}; none is running now")).of(worker)
}

pub(crate) fn stopped(cause: Option<&Cause>, took: Duration, code: u8) -> Line {
    let level = if matches!(cause, Some(Cause::MainEnded)) { Level::Debug } else { Level::Info };
    let mains = if code == 0 { String::new() } else { format!("; exit code {code}") };
    Line::new(level, format!("stopped in {}{mains}", span(took))).after(took).code(code)
}

/// The end that a report explains.
pub(crate) fn ended(code: u8, reason: &str, took: Duration) -> Line {
    Line::error(format!("exit code {code}: {reason}")).after(took).code(code).to(To::Subscriber)
}

pub(crate) fn state_changed(state: State) -> Line {
    Line::debug(format!("state: {state}")).state(state)
}

pub(crate) fn hook_ended(stage: HookStage, hook: &Arc<str>, progress: Progress, took: Duration) -> Line {
    let line = Line::debug(format!("{stage} hook `{}`: {progress} after {}", name(hook), span(took)));
    line.by(&Subject::Hook(stage, Arc::clone(hook))).after(took)
}

/// What is aborted now, because time is out.
pub(crate) fn aborting(stuck: &Stuck, remaining: Option<Duration>) -> Line {
    let line = Line::warn(format!("aborting: {stuck}"));
    let line = match stuck.label() {
        Some(label) => line.of(label),
        None => line.named(&stuck.name()),
    };
    let line = match stuck.oldest {
        Some(oldest) => line.after(oldest),
        None => line,
    };
    line.before(remaining).to(To::Subscriber)
}

pub(crate) fn untracked_dropped(tasks: usize) -> Line {
    Line::info(untracked(tasks))
}

pub(crate) fn kept_value_panicked() -> Line {
    Line::warn("a value given to keep(), or one of a hook that was never run, panicked while it was dropped")
}

pub(crate) fn exit_function_panicked(function: &str, payload: &(dyn Any + Send)) -> Line {
    Line::warn(format!("at_exit `{}` panicked: {}", name(function), cut(of_panic(payload))))
}

pub(crate) fn exit_functions_left(left: &[Arc<str>], within: Duration) -> Line {
    let names = listed(left.iter().map(|function| format!("`{}`", name(function))));
    Line::warn(format!("at_exit {names} did not end within {}", span(within)))
}

pub(crate) fn waker_panicked() -> Line {
    Line::warn("a waker panicked when the stop called it; some tasks may not have been woken")
}

pub(crate) fn dropped(lines: usize) -> Line {
    Line::warn(format!("{lines} lines were dropped: standard error or the subscriber did not keep up"))
}

pub(crate) fn test_never_yields(test: Option<&Label>) -> Line {
    let test = test.map_or_else(String::new, |test| format!(" {test}"));
    Line::error(format!(
        "the test{test} cannot be aborted: some of its code never yields; ending the test process when no other test runs"
    ))
}

// ----- the report -----

pub(crate) const MAIN_NEVER_LOOKED: &str = "main never asked whether it is stopping: await graceful::stopping(), \
    wrap what it waits for in graceful::run_until_stopping(..), or serve with graceful::http::serve";

pub(crate) const MAIN_LEFT_IT_TO_OTHERS: &str = "main does not wait for the stop itself: \
    if another part of the program is to end what main awaits, that has not happened";

pub(crate) const NEVER_READY: &str = "graceful::ready() was never called: if main was starting up, \
    what it waits for belongs in graceful::run_until_stopping(..)";

/// What to say to workers that waited when they were told to stop, and went on waiting.
pub(crate) fn waited_on(workers: &[String]) -> String {
    let names = listed(workers.iter().cloned());
    format!(
        "the stop interrupts no await: {names} would end by graceful::stopping() or graceful::run_until_stopping(..)"
    )
}

/// What else would have ended was not polled.
pub(crate) fn blocks_the_only_thread(who: &str) -> String {
    format!("`{who}` blocks the runtime's only thread: nothing else was polled")
}

pub(crate) const HELD_UP: &str = "a waker is blocking the stop: code woken by a cancelled token has not returned";

pub(crate) const HELD_UP_AT_THE_END: &str = "main and all workers were joined; \
    a destructor, a value given to keep() or an exit handler took the rest of the time";

/// What decided the exit code, if no failure did.
pub(crate) fn reason_of(code: u8) -> &'static str {
    if code == failure::FORCED { "forced by a second SIGINT" } else { "out of time" }
}

pub(crate) fn more_failures(more: usize) -> String {
    match more {
        1 => "and 1 more failure".to_owned(),
        more => format!("and {more} more failures"),
    }
}

/// `at src/db.rs:90 <- src/main.rs:7 (2 of them)`.
pub(crate) fn waits_at(place: &Await, of: u64) -> String {
    let Await { stack, count, looked_at, is_earlier, .. } = place;
    let looked_at_all = u64::try_from(*looked_at).is_ok_and(|looked_at| looked_at >= of);
    let how_many = match (*count == *looked_at, looked_at_all) {
        (true, true) => String::new(),
        (false, true) => format!(" ({count} of them)"),
        (_, false) => format!(" ({count} of {looked_at} sampled)"),
    };
    let when = if *is_earlier { ", some time before the abort" } else { "" };
    format!("at {}{how_many}{when}", stack.join(" <- "))
}

pub(crate) fn more_places(more: usize) -> String {
    format!("and in {more} more places")
}

/// `2 tasks of a bare tokio::spawn were dropped: …`.
pub(crate) fn untracked(tasks: usize) -> String {
    match tasks {
        1 => {
            "1 task of a bare tokio::spawn was dropped: start it with graceful::spawn(name, ..) if the stop is to wait \
              for it"
                .to_owned()
        }
        tasks => format!(
            "{tasks} tasks of a bare tokio::spawn were dropped: start them with graceful::spawn(name, ..) if the stop is \
             to wait for them"
        ),
    }
}

/// `consume ×3, crunch, main`.
pub(crate) fn names(stuck: &[Stuck]) -> String {
    listed(stuck.iter().map(Stuck::tally))
}

pub(super) fn limit(duration: Duration) -> String {
    if duration == NO_LIMIT { "none".to_owned() } else { span(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_that_has_ended_well_gets_advice() {
        let said = |has_failed| main_ended_first(&[], has_failed).text;
        assert!(said(Some(true)).starts_with("main failed while "));
        assert!(
            said(Some(false)).starts_with("main ended while ") && said(Some(false)).contains("graceful::stopping()")
        );
        assert!([Some(true), None].into_iter().all(|it| !said(it).contains("graceful::stopping()")));
    }
}
