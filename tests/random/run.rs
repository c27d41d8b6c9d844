//! A run of a program: starts it, signals it, waits for it, and reads its output.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use graceful_tests::{Child, End, Line};
use nix::sys::signal::{Signal, kill};

use crate::late;
use crate::program::{Program, Sent};

/// When a program that nothing else has stopped is asked to stop; one that is stopping already ignores it.
const LAST: u64 = 400;

/// A run with so long a wait for the processors was on an overloaded machine.
const QUEUED: Duration = Duration::from_millis(400);

/// A thread woken this late shows that the machine is overloaded.
const OVERLOADED: Duration = Duration::from_millis(10);

/// Microseconds since the child's first line.
pub(crate) type Time = i64;

/// A line of the program.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Time,
    /// The state of the lifecycle, from 0 to 4.
    pub(crate) state: u8,
    pub(crate) who: String,
    pub(crate) what: String,
}

/// All that can be known of a run.
pub(crate) struct Run {
    pub(crate) program: Program,
    pub(crate) events: Vec<Event>,
    /// What was sent, and when: it may have arrived later.
    pub(crate) sent: Vec<(Time, Sent)>,
    pub(crate) gone: Time,
    pub(crate) end: End,
    /// The longest delay of the machine in the meantime.
    pub(crate) late: Duration,
    /// For how long any thread on the machine waited for a processor.
    pub(crate) queued: Duration,
}

impl Run {
    /// Whether the machine was overloaded.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.late >= OVERLOADED || self.queued >= QUEUED
    }
}

/// Runs it. An error is what the harness found.
pub(crate) fn run(program: &Program) -> Result<Run, String> {
    catch_unwind(AssertUnwindSafe(|| observe(program))).map_err(|_| crate::reason())
}

fn observe(program: &Program) -> Run {
    let (begun, queued) = (Instant::now(), late::queued());
    let mut command = Command::new(env!("CARGO_BIN_EXE_random-program"));
    let child = Child::start(command.arg(program.to_string()));
    let up = child.prints_part(" main up");
    let mut signals = program.signals.clone();
    signals.push((LAST, Sent::Term));
    signals.sort_unstable();
    let mut sent = Vec::new();
    for (at, signal) in signals {
        let due = up + Duration::from_millis(at);
        sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        // It may be gone.
        if kill(child.pid(), number(signal)).is_ok() {
            sent.push((now, signal));
        }
    }
    let end = child.end_in_panic();
    let lines: Vec<_> = end.stdout.iter().filter_map(parse).collect();
    // A line cannot arrive before it is written: the soonest gives the offset between the two clocks.
    let zero = lines
        .iter()
        .filter_map(|(line, event)| line.at.checked_sub(Duration::from_micros(event.at.unsigned_abs())))
        .min()
        .unwrap_or(begun);
    let time = |at: Instant| {
        let after = at.saturating_duration_since(zero).as_micros();
        let before = zero.saturating_duration_since(at).as_micros();
        Time::try_from(after).unwrap_or(Time::MAX) - Time::try_from(before).unwrap_or(Time::MAX)
    };
    Run {
        program: program.clone(),
        sent: sent.into_iter().map(|(at, what)| (time(at), what)).collect(),
        gone: time(end.at),
        events: lines.into_iter().map(|(_, event)| event).collect(),
        late: late::since(begun),
        queued: late::queued().saturating_sub(queued),
        end,
    }
}

fn number(signal: Sent) -> Signal {
    match signal {
        Sent::Term => Signal::SIGTERM,
        Sent::Int => Signal::SIGINT,
        Sent::Hup => Signal::SIGHUP,
    }
}

/// `time state actor event`. The end of a process may cut the last line short.
fn parse(line: &Line) -> Option<(&Line, Event)> {
    let mut words = line.text.splitn(4, ' ');
    let event = Event {
        at: words.next()?.parse().ok()?,
        state: words.next()?.parse().ok()?,
        who: words.next()?.to_owned(),
        what: words.next()?.to_owned(),
    };
    Some((line, event))
}
