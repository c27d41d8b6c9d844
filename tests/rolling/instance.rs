//! An instance of a service: always at the same addresses, in one process after the other.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::ports;
use graceful_tests::Child;

/// Who is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// SIGTERM kills it.
    Unhandled,
    /// `axum::serve` with a shutdown future, and nothing else.
    Future,
    /// The same; before that it says that it is not ready, and waits.
    Delay,
    /// `graceful::http::serve`, and nothing else.
    OneLine,
    /// The example `http`.
    Graceful,
    /// The example `http`, with a listener that stays open from one process to the next.
    HandedOver,
}

impl Contender {
    /// From the one that drops most.
    pub const ALL: [Self; 6] =
        [Self::Unhandled, Self::Future, Self::Delay, Self::OneLine, Self::Graceful, Self::HandedOver];
}

/// The programs to start.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    /// The contenders without this crate.
    pub contender: &'static str,
    /// The one of a single line.
    pub one_line: &'static str,
    /// The example `http`.
    pub example: &'static str,
}

/// A process, and how to start the next one.
#[derive(Debug)]
pub(crate) struct Instance {
    recipe: Recipe,
    /// `None` only while one process follows the other.
    child: Option<Child>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// When SIGTERM was sent.
    pub(crate) asked: Instant,
    /// From then until it was gone.
    pub(crate) took: Duration,
    /// `None` if the signal killed it.
    pub(crate) code: Option<i32>,
}

impl Instance {
    /// `drain` is how long it goes on serving when it is told to stop, if it knows how to.
    pub(crate) fn start(contender: Contender, programs: Programs, drain: Duration) -> Self {
        let address = ports::free();
        let keep = || TcpListener::bind(address).expect("the port is free");
        let recipe = Recipe {
            contender,
            programs,
            drain,
            address,
            health: ports::free(),
            listener: (contender == Contender::HandedOver).then(keep),
        };
        let child = Some(recipe.start());
        Self { recipe, child }
    }

    /// Where it serves.
    pub(crate) fn address(&self) -> SocketAddr {
        self.recipe.address
    }

    /// Where it tells whether it is ready.
    pub(crate) fn health(&self) -> SocketAddr {
        self.recipe.health
    }

    /// SIGTERM; when the process is gone, the next one. Returns when that listens.
    pub(crate) fn restart(&mut self) -> Stop {
        let stop = self.stop();
        self.child = Some(self.recipe.start());
        stop
    }

    /// SIGTERM, and no next one.
    pub(crate) fn stop(&mut self) -> Stop {
        let child = self.child.take().expect("it runs");
        let asked = child.terminate();
        let end = child.end();
        Stop { asked, took: end.after(asked), code: end.code }
    }
}

#[derive(Debug)]
struct Recipe {
    contender: Contender,
    programs: Programs,
    drain: Duration,
    address: SocketAddr,
    health: SocketAddr,
    /// What is handed over.
    listener: Option<TcpListener>,
}

impl Recipe {
    /// Returns when it listens.
    fn start(&self) -> Child {
        let (port, health) = (self.address.port(), self.health.port());
        let drain = self.drain.as_millis();
        let handling = match self.contender {
            Contender::Unhandled => "unhandled",
            Contender::Future => "future",
            Contender::Delay => "delay",
            Contender::OneLine => {
                let mut command = Command::new(self.programs.one_line);
                command.args([port, health].map(|port| port.to_string())).env("GRACEFUL_DRAIN", format!("{drain}ms"));
                let child = Child::start(&mut command);
                child.prints("listening");
                return child;
            }
            Contender::Graceful | Contender::HandedOver => {
                let mut command = Command::new(self.programs.example);
                command
                    .arg(port.to_string())
                    .env("HEALTH_PORT", health.to_string())
                    .env("GRACEFUL_DRAIN", format!("{drain}ms"));
                let child = match &self.listener {
                    Some(listener) => Child::start_with_listener(&command, listener),
                    None => Child::start(&mut command),
                };
                child.prints("press Ctrl-C here while it waits");
                return child;
            }
        };
        let mut command = Command::new(self.programs.contender);
        command.arg(handling).args([drain, port.into(), health.into()].map(|number: u128| number.to_string()));
        let child = Child::start(&mut command);
        child.prints("listening");
        child
    }
}
