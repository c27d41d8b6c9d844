//! What main and the workers do: wait, work, block, end. Each prints a line.

use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::program::{Body, Outcome, Until, Via, When};
use crate::say::say;
use crate::{actions, hooks, program, spawn};

/// Main among the workers.
pub(crate) const MAIN: Who = Who(0);

/// The time between two checks of a worker that polls `is_stopping()`.
const CHECK_PERIOD: Duration = Duration::from_millis(3);

/// A worker, or main, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who(pub(crate) u32);

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("main"),
            id => write!(f, "w{id}"),
        }
    }
}

impl Who {
    pub(crate) fn body(self) -> Body {
        program().worker(self.0).map_or(program().main, |worker| worker.body)
    }
}

/// Prints a line when it is dropped, and then panics if it has to.
pub(crate) struct Guard(Who);

impl Guard {
    pub(crate) fn new(who: Who) -> Self {
        Self(who)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let is_bomb = program().worker(self.0.0).is_some_and(|worker| worker.bomb && !thread::panicking());
        say(self.0, "dropped");
        if is_bomb {
            say(self.0, "bomb");
            panic!("a destructor of {}", self.0);
        }
    }
}

/// A worker's future; what it holds is dropped after its body.
pub(crate) struct Watched {
    body: Pin<Box<dyn Future<Output = Result<(), String>> + Send>>,
    _guard: Guard,
}

impl Watched {
    pub(crate) fn new(who: Who) -> Self {
        Self { body: Box::pin(act(who)), _guard: Guard::new(who) }
    }
}

impl Future for Watched {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.body.as_mut().poll(context)
    }
}

async fn act(who: Who) -> Result<(), String> {
    let body = who.body();
    begin(who);
    let is_told = wait(body).await;
    go_on(who, is_told);
    if body.work > 0 {
        sleep(Duration::from_millis(body.work)).await;
    }
    block(who, body);
    end(who, body)
}

/// The same on a thread of its own. A wait forever is one that outlasts the process.
pub(crate) fn act_blocking(who: Who) -> Result<(), String> {
    let _guard = Guard::new(who);
    let body = who.body();
    begin(who);
    let begun = Instant::now();
    let time = match body.until {
        Until::Told => Duration::MAX,
        Until::For | Until::Either => Duration::from_millis(body.time),
        Until::Never => Duration::from_secs(3),
    };
    let mut is_told = false;
    while begun.elapsed() < time && !is_told {
        thread::sleep(CHECK_PERIOD);
        is_told = matches!(body.until, Until::Told | Until::Either) && graceful::is_stopping();
    }
    go_on(who, is_told);
    thread::sleep(Duration::from_millis(body.work));
    block(who, body);
    end(who, body)
}

fn begin(who: Who) {
    say(who, "begun");
    actions::leave_token(who);
    spawn::children(who, When::First);
    if who == MAIN {
        if program().ready {
            graceful::ready();
        }
        actions::start();
        say(who, "up");
    }
}

fn go_on(who: Who, is_told: bool) {
    say(who, if is_told { "told" } else { "waited" });
    spawn::children(who, When::Then);
    if who == MAIN {
        hooks::register(When::Then);
    }
}

/// Returns whether it was told to stop.
async fn wait(body: Body) -> bool {
    let time = Duration::from_millis(body.time);
    match body.until {
        Until::Told => {
            told(body.via).await;
            true
        }
        Until::For => {
            sleep(time).await;
            false
        }
        Until::Either => graceful::run_until_stopping(sleep(time)).await.is_none(),
        Until::Never => pending().await,
    }
}

async fn told(via: Via) {
    match via {
        Via::Stopping => graceful::stopping().await,
        Via::Token => graceful::token().cancelled().await,
        Via::Look => {
            while !graceful::is_stopping() {
                sleep(CHECK_PERIOD).await;
            }
        }
        Via::Run => {
            graceful::run_until_stopping(pending::<()>()).await;
        }
    }
}

fn block(who: Who, body: Body) {
    if body.block > 0 {
        say(who, "blocks");
        thread::sleep(Duration::from_millis(body.block));
    }
}

fn end(who: Who, body: Body) -> Result<(), String> {
    say(who, format_args!("ends {}", body.end));
    match body.end {
        Outcome::Good => Ok(()),
        Outcome::Err => Err(format!("error of {who}")),
        Outcome::Panic => panic!("panic of {who}"),
    }
}
