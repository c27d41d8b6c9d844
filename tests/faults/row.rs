//! A row of the table: a program, what is done to it, and how it has to end.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use graceful_tests::{End, Signal};

use crate::expected::{Expected, Way};
use crate::scene::Scene;

/// The budget of the program.
pub(crate) const BUDGET: Duration = Duration::from_millis(500);

/// How long after its last worker a process that nothing holds up may stay.
pub(crate) const PROMPTLY: Duration = Duration::from_millis(250);

/// When workers that still run are aborted: the reserve is a tenth of the budget.
const ABORT: Duration = Duration::from_millis(450);

/// How much later than its budget's end a process may be gone.
pub(crate) const LATE: Duration = Duration::from_millis(50);

/// Everything on main's thread, and tasks on another one.
pub(crate) const BOTH: &[&str] = &["current_thread", "multi_thread"];

/// One case: the program, what happens to it, and how it has to end.
pub(crate) struct Row {
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    /// The group and the case of the program.
    pub(crate) program: (&'static str, &'static str),
    /// Each is a run of its own.
    pub(crate) runtimes: &'static [&'static str],
    /// What a shell does before it becomes the program; each is a run of its own.
    pub(crate) setups: Vec<String>,
    /// A program with its options that starts it. Where that cannot run, the row is skipped.
    pub(crate) starter: Option<(&'static str, &'static str)>,
    pub(crate) environment: Vec<(&'static str, &'static str)>,
    /// How long the act may wait for the program, where that is long.
    pub(crate) patience: Option<Duration>,
    pub(crate) stage: Stage,
    /// What happens to it. Returns the moment from which its time is counted.
    pub(crate) act: fn(&mut Scene) -> Instant,
    /// How often it is run, each time anew.
    pub(crate) times: usize,
    /// No other row runs meanwhile: it takes the whole machine, or is easily disturbed.
    pub(crate) is_alone: bool,
    pub(crate) expected: Expected,
}

/// Where a program runs, and what its standard error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// As any program, with pipes.
    Plain,
    /// With a standard error that takes nothing more and is not read.
    FullPipe,
    /// With a standard error whose reader is gone.
    BrokenPipe,
    /// With a terminal for its standard error.
    Terminal,
    /// With a terminal that controls it.
    ControllingTerminal,
    /// As a job in the background, on a terminal that stops background jobs that write to it.
    Background,
    /// Started with SIGTERM blocked.
    Blocked,
    /// With a FIFO that has no writer; its path is the last argument.
    Fifo,
    /// As PID 1 of a namespace.
    Pid1,
    /// With mounts of its own, which this command of a shell has made.
    Mounts(&'static str),
    /// As the user 65534, who may do nothing special.
    Nobody,
    /// As a user of its own, whose limits count only its own threads.
    OwnUser,
}

impl Stage {
    pub(crate) fn needs_a_namespace(self) -> bool {
        matches!(self, Self::Pid1 | Self::Mounts(_))
    }
}

/// A row of `group` whose program is a case of the same group. SIGTERM is sent when it is up, and it ends with 0 at
/// once, on either runtime, unless the row says otherwise.
pub(crate) fn row(group: &'static str, name: &'static str, case: &'static str) -> Row {
    Row {
        group,
        name,
        program: (group, case),
        runtimes: BOTH,
        setups: vec![String::new()],
        starter: None,
        environment: Vec::new(),
        patience: None,
        stage: Stage::Plain,
        act: |scene| {
            scene.prints("up");
            scene.terminate()
        },
        times: 1,
        is_alone: false,
        expected: Expected {
            ends: vec![Way::Code(0)],
            gone: (Duration::ZERO, PROMPTLY),
            overloads: false,
            said: Vec::new(),
            unsaid: Vec::new(),
            printed: Vec::new(),
            panics: 0,
            may_panic: false,
            look: None,
            look_at_all: None,
        },
    }
}

/// What is done to the program.
impl Row {
    /// With a program of another group.
    pub(crate) fn of(mut self, group: &'static str) -> Self {
        self.program.0 = group;
        self
    }

    pub(crate) fn on(mut self, runtimes: &'static [&'static str]) -> Self {
        self.runtimes = runtimes;
        self
    }

    /// In an environment with this variable.
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// With another budget than half a second.
    pub(crate) fn budget(self, budget: &'static str) -> Self {
        self.with("GRACEFUL_STOP_TIMEOUT", budget)
    }

    /// After a shell has run this.
    pub(crate) fn after(mut self, setup: &str) -> Self {
        self.setups = vec![setup.to_owned()];
        self
    }

    /// After a shell has run one of these, for each of them.
    pub(crate) fn after_each(mut self, setups: impl IntoIterator<Item = String>) -> Self {
        self.setups = setups.into_iter().collect();
        self
    }

    /// Started by this program, with these options.
    pub(crate) fn inside(mut self, program: &'static str, options: &'static str) -> Self {
        self.starter = Some((program, options));
        self.after(&format!("exec {program} {options} \"$@\""))
    }

    pub(crate) fn at(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    /// This happens to it.
    pub(crate) fn act(mut self, act: fn(&mut Scene) -> Instant) -> Self {
        self.act = act;
        self
    }

    /// Nothing happens to it.
    pub(crate) fn by_itself(self) -> Self {
        self.act(|scene| scene.begun)
    }

    /// Takes longer than others before its time is counted.
    pub(crate) fn patient(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    pub(crate) fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    pub(crate) fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }
}

/// How it has to end.
impl Row {
    pub(crate) fn code(mut self, code: i32) -> Self {
        self.expected.ends = vec![Way::Code(code)];
        self
    }

    pub(crate) fn killed(mut self, signal: Signal) -> Self {
        self.expected.ends = vec![Way::Killed(signal)];
        self
    }

    pub(crate) fn either(mut self, ways: &[Way]) -> Self {
        self.expected.ends = ways.to_vec();
        self
    }

    pub(crate) fn gone(mut self, from: Duration, to: Duration) -> Self {
        self.expected.gone = (from, to);
        self
    }

    /// Code 124, and gone as soon as the abort is done.
    pub(crate) fn aborted(self) -> Self {
        self.code(124).gone(ABORT, BUDGET)
    }

    /// Code 124 near the end of the budget: the abort cannot finish.
    pub(crate) fn forced(self) -> Self {
        self.code(124).gone(ABORT, BUDGET + LATE)
    }

    /// The case overloads the machine, which takes longer then.
    pub(crate) fn overloaded(mut self) -> Self {
        self.expected.overloads = true;
        self.alone()
    }

    /// The same with four times the budget, and so four times the reserve: for cases with work within the reserve.
    pub(crate) fn unhurried(mut self) -> Self {
        let (from, to) = self.expected.gone;
        self.expected.gone = (4 * from, to + 3 * BUDGET);
        self.budget("2s")
    }

    pub(crate) fn says(mut self, part: impl Into<String>) -> Self {
        self.expected.said.push(part.into());
        self
    }

    /// Names this worker of the program, with its place, and says this about it.
    pub(crate) fn names(self, worker: &str, what: &str) -> Self {
        let file = format!("tests/faults/child/{}.rs", self.program.0);
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&file));
        let head = format!("fn {worker}(");
        let line = source
            .expect("the program's source is there")
            .lines()
            .position(|line| line.contains(&head))
            .expect("it is in the program")
            + 1;
        self.says(format!("  {worker} ({file}:{line}): {what}"))
    }

    pub(crate) fn silent_about(mut self, part: &'static str) -> Self {
        self.expected.unsaid.push(part);
        self
    }

    pub(crate) fn prints(mut self, line: &'static str) -> Self {
        self.expected.printed.push(line);
        self
    }

    pub(crate) fn panics(mut self, panics: usize) -> Self {
        self.expected.panics = panics;
        self
    }

    /// The refusal may be a panic of a library.
    pub(crate) fn panics_when_refused(mut self) -> Self {
        self.expected.may_panic = true;
        self
    }

    pub(crate) fn look(mut self, look: fn(&End)) -> Self {
        self.expected.look = Some(look);
        self
    }

    pub(crate) fn look_at_all(mut self, look: fn(&[End])) -> Self {
        self.expected.look_at_all = Some(look);
        self
    }
}
