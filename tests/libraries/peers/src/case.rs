//! What the one task of each program does.

use std::future::pending;
use std::io::Error;
use std::thread;
use std::time::Duration;

use tokio::time::sleep;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Case {
    /// The task panics.
    Panic,
    /// It returns an error.
    Fails,
    /// It blocks its thread for 4 s, and the process is told to stop.
    Blocks,
    /// It waits forever, and the process is told to stop.
    TimeOut,
    /// It takes 4 s to end, and the process is told to stop twice.
    Second,
}

impl Case {
    pub const ALL: [Self; 5] = [Self::Panic, Self::Fails, Self::Blocks, Self::TimeOut, Self::Second];

    pub fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Fails => "fails",
            Self::Blocks => "blocks",
            Self::TimeOut => "timeout",
            Self::Second => "second",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Panic => "a task panics",
            Self::Fails => "a task fails",
            Self::Blocks => "a task blocks its thread for 4 s, budget 1 s",
            Self::TimeOut => "a task never ends, budget 1.5 s",
            Self::Second => "a second SIGINT, 4 s of work left, budget 10 s",
        }
    }

    /// How long a stop may take.
    pub fn budget(self) -> Duration {
        match self {
            Self::Blocks => Duration::from_secs(1),
            Self::TimeOut => Duration::from_millis(1500),
            _ => Duration::from_secs(10),
        }
    }

    /// Whether the task ends by itself, and the process with it if the peer sees to that.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Panic | Self::Fails)
    }

    /// The task. It begins a moment later, when the program listens for signals.
    pub async fn work(self) -> Result<(), Error> {
        sleep(Duration::from_millis(300)).await;
        println!("up");
        match self {
            Self::Panic => panic!("the task panics"),
            Self::Fails => Err(Error::other("the task fails")),
            Self::Blocks => {
                thread::sleep(Duration::from_secs(4));
                Ok(())
            }
            Self::TimeOut => pending().await,
            Self::Second => {
                sleep(Duration::from_secs(4)).await;
                Ok(())
            }
        }
    }
}
