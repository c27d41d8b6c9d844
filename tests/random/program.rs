//! A program as text: what the generator makes, the child carries out, the model judges and a person can read.
//!
//! Items are separated by ` / `, the words of an item by spaces; a word left out has the simplest value:
//!
//! ```text
//! runtime=two budget=500 drain=50 ready / main wait=told / w1 work=20 / w2 in=w1 stage=late end=err / h1 before takes=30
//! / at=40 stop-worker=w1 / signal=120:TERM
//! ```

use std::fmt::{self, Display};
use std::str::FromStr;

/// An enum whose variants are words. The first one is the default.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $type { $($variant,)* }

        impl $type {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];
        }

        impl Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)* })
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|one| one.to_string() == word);
                found.copied().ok_or_else(|| format!("not a {}: {word}", stringify!($type)))
            }
        }
    };
}

words!(
    /// How the lifecycle and its runtime are made: by the attribute or by the builder, with how many threads for tasks.
    Runtime { Current = "current", CurrentBuilder = "current-builder", One = "one", Two = "two", }
);
words!(
    /// What starts a worker; a hold and an untracked task are none, and stand beside them.
    Kind {
        Async = "async", Blocking = "blocking", Every = "every", Essential = "essential", Restarts = "restarts",
        Refuses = "refuses", Hold = "hold", Untracked = "untracked",
    }
);
words!(
    Stage { Early = "early", Main = "main", Late = "late", Last = "last", }
);
words!(
    Policy { Stop = "stop", Log = "log", Restart = "restart", }
);
words!(
    /// What it waits for first.
    Until { Told = "told", For = "for", Either = "either", Never = "never", }
);
words!(
    /// How it notices that it is told to stop.
    Via { Stopping = "stopping", Token = "token", Look = "look", Run = "run", }
);
words!(
    Outcome { Good = "ok", Err = "err", Panic = "panic", }
);
words!(
    /// When a worker is spawned: as its parent begins, or after its parent has waited.
    When { First = "first", Then = "then", }
);
words!(
    Moment { Before = "before", On = "on", After = "after", }
);
words!(
    /// How a hook ends after the time it takes.
    HookEnd { Good = "ok", Err = "err", Panic = "panic", Hang = "hang", Block = "block", }
);
words!(
    /// What is done to the program from inside it.
    Deed { Stop = "stop", StopWorker = "stop-worker", Cancel = "cancel", Abort = "abort", }
);
words!(
    Sent { Term = "TERM", Int = "INT", Hup = "HUP", }
);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) runtime: Runtime,
    /// Times are in milliseconds.
    pub(crate) budget: u64,
    pub(crate) drain: u64,
    pub(crate) ready: bool,
    /// It has asked for SIGHUP.
    pub(crate) reloads: bool,
    pub(crate) main: Body,
    pub(crate) workers: Vec<Worker>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) actions: Vec<Action>,
    pub(crate) signals: Vec<(u64, Sent)>,
}

/// What main, a worker or a run of a worker does: it waits, sleeps in an await, blocks its thread, ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) until: Until,
    pub(crate) time: u64,
    pub(crate) via: Via,
    pub(crate) work: u64,
    pub(crate) block: u64,
    pub(crate) end: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Worker {
    pub(crate) id: u32,
    /// `None` is main.
    pub(crate) parent: Option<u32>,
    pub(crate) kind: Kind,
    pub(crate) when: When,
    pub(crate) stage: Option<Stage>,
    /// Its own budget.
    pub(crate) own: Option<u64>,
    pub(crate) policy: Option<Policy>,
    /// One of its destructors panics.
    pub(crate) bomb: bool,
    pub(crate) body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) id: u32,
    pub(crate) moment: Moment,
    /// Registered by main after it has waited.
    pub(crate) when: When,
    pub(crate) takes: u64,
    pub(crate) end: HookEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) at: u64,
    pub(crate) deed: Deed,
    /// The worker it is done to; 0 is the program.
    pub(crate) to: u32,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            runtime: Runtime::Current,
            budget: 500,
            drain: 0,
            ready: false,
            reloads: false,
            main: Body::default(),
            workers: Vec::new(),
            hooks: Vec::new(),
            actions: Vec::new(),
            signals: Vec::new(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self { until: Until::Told, time: 0, via: Via::Stopping, work: 0, block: 0, end: Outcome::Good }
    }
}

impl Worker {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            id,
            parent: None,
            kind: Kind::Async,
            when: When::First,
            stage: None,
            own: None,
            policy: None,
            bomb: false,
            body: Body::default(),
        }
    }
}

impl Program {
    pub(crate) fn worker(&self, id: u32) -> Option<&Worker> {
        self.workers.iter().find(|worker| worker.id == id)
    }
}
