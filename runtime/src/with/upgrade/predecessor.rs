//! The process before this one: what it hands over, and when it makes way.

use std::env;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::life::succession;
use crate::model::settings::{PREDECESSOR, Settings};
use crate::model::state::State;
use crate::model::text;
use crate::os::channel::{self, Kind, VERSION};
use crate::os::sys;
use crate::say::upgrades;
use crate::with::net;
use crate::with::upgrade::program;

/// What a successor has from its predecessor beside the sockets.
#[derive(Debug)]
pub(crate) struct Inheritance {
    generation: u32,
    channel: UnixStream,
    left: Vec<(String, Vec<u8>)>,
}

/// Takes what a predecessor hands over, if there is one. The generation becomes a part of the process's name.
///
/// # Errors
///
/// One line that says why this process cannot take over. The predecessor goes on when this one ends.
pub(crate) fn inherit(settings: &mut Settings) -> Result<Option<Inheritance>, String> {
    program::note();
    settings.upgrade.pid_file = settings.upgrade.pid_file.as_deref().map(program::absolute);
    let inheritance = match channel() {
        Some(channel) => Some(receive(channel).map_err(|error| upgrades::cannot_succeed(&error))?),
        None => None,
    };
    if let Some(inheritance) = &inheritance {
        succession::set_generation(inheritance.generation);
    }
    let generation = succession::generation();
    if generation > 1 {
        let name = settings.name.take().unwrap_or_default();
        settings.name = Some(format!("{name}#{generation}"));
    }
    Ok(inheritance)
}

fn channel() -> Option<UnixStream> {
    let value = env::var(PREDECESSOR).ok()?;
    sys::remove_variable(PREDECESSOR);
    let (number, predecessor) = value.split_once(':')?;
    let number: RawFd = number.parse().ok()?;
    let predecessor: u32 = predecessor.parse().ok()?;
    let adopted: OwnedFd = sys::adopt(number)?;
    // The variable may be a leftover, and the number any other file's.
    if sys::peer_of(adopted.as_fd()).is_some_and(|peer| peer != predecessor) {
        return None;
    }
    sys::let_go(number);
    Some(UnixStream::from(adopted))
}

fn receive(channel: UnixStream) -> Result<Inheritance, String> {
    let mut generation = None;
    let mut left = Vec::new();
    loop {
        let frame = channel::receive(&channel).map_err(|error| error.to_string())?;
        let frame = frame.ok_or("it has ended")?;
        match (frame.kind, generation) {
            (Kind::Hello, None) => {
                let [version, number] = frame.numbers().ok_or(MISREAD)?;
                if version != VERSION {
                    return Err(format!("it speaks version {version} of the protocol, and this one version {VERSION}"));
                }
                generation = Some(number);
            }
            (Kind::Socket, Some(_)) => net::inherit(frame).ok_or(MISREAD)?,
            (Kind::Bytes, Some(_)) => {
                let [name, bytes] = frame.parts().ok_or(MISREAD)?;
                left.push((String::from_utf8_lossy(name).into_owned(), bytes.to_vec()));
            }
            (Kind::End, Some(generation)) => return Ok(Inheritance { generation, channel, left }),
            _ => return Err(MISREAD.to_owned()),
        }
    }
}

const MISREAD: &str = "it speaks another version of the protocol";

impl Inheritance {
    /// From now on the lifecycle is that of a successor.
    pub(super) fn accept(self, life: &Lifecycle) {
        life.succession.succeed(self.channel, self.left);
    }
}

/// Waits until the predecessor makes way, or is gone.
pub(super) fn wait(life: &Arc<Lifecycle>) {
    let Some(predecessor) = life.succession.predecessor() else { return };
    let makes_way = predecessor.makes_way().unwrap_or(false);
    if life.teardown.is_over() {
        return;
    }
    if !makes_way {
        life.writer.say(upgrades::predecessor_is_gone());
    }
    let weak = Arc::downgrade(life);
    life.succession.set_due(Box::new(move || {
        if let Some(life) = weak.upgrade() {
            close_unclaimed(&life);
        }
    }));
    life.succession.confirm();
    if makes_way {
        life.writer.say(upgrades::took_over(succession::generation()));
    }
    // A process whose predecessor was killed may not be ready yet.
    if life.phase.state() == State::Ready {
        life.serve_as_the_main_process();
    }
    #[cfg(feature = "systemd")]
    life.listeners.systemd.leave(|_| ());
}

/// Sockets for which this version has no use.
fn close_unclaimed(life: &Lifecycle) {
    for closed in net::close_unclaimed() {
        life.writer.say(upgrades::nobody_asked_for(&closed.name, &closed.address));
    }
}

/// A process that ends before it was ready says why.
pub(super) fn tell_failure(life: &Lifecycle) {
    let failures = &life.diagnostics.failures;
    let why = match failures.decisive() {
        Some(failure) if failure.is_mains() => life.succession.error_of_main().unwrap_or_else(|| failure.reason()),
        Some(failure) => failure.reason(),
        None if failures.code() != 0 => return,
        None => "main ended".to_owned(),
    };
    life.succession.tell_failure(&text::cut(&why));
}
