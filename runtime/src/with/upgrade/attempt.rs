//! One attempt, on a thread of its own, from the request to its outcome.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::life::lifecycle::Lifecycle;
use crate::life::succession;
use crate::model::budget::Budget;
use crate::model::outcome;
use crate::model::state::{Cause, Stage, State};
use crate::model::text;
use crate::model::upgrade::UpgradeError;
use crate::os::channel::{self, Frame, Kind, Reader, VERSION};
use crate::os::sys;
use crate::say::upgrades;
use crate::with::net;
use crate::with::upgrade::program;
use crate::with::upgrade::successor::{Ended, Successor};
use crate::with::upgrade::supervisor;

/// How often it is checked whether the successor has ended, or this process stops.
const CHECK_PERIOD: Duration = Duration::from_millis(20);

/// How long a successor that is ended has from the SIGTERM to the SIGKILL.
const TO_TERMINATE: Duration = Duration::from_secs(2);

/// The most that is handed over under one name.
const LONGEST: usize = 1 << 20;

/// What is left for the successor: a name, and bytes.
type Offered = (Arc<str>, Vec<u8>);

/// Runs it, and says how it went.
pub(super) fn run(life: &Arc<Lifecycle>) {
    // The stop waits until the outcome is said, and names what it waits for.
    let held = crate::work::hold::take(life, "upgrade", Stage::Main);
    let attempt = Attempt { life, began: Instant::now() };
    let outcome = if held.is_some() { attempt.run() } else { Err(UpgradeError::Stopped) };
    conclude(life, &outcome.as_ref().map(|_| ()).map_err(Clone::clone));
    drop(held);
    if let Ok(mut successor) = outcome {
        successor.reap();
    }
}

/// The attempt is over: those that wait for it get the outcome.
pub(super) fn conclude(life: &Lifecycle, outcome: &Result<(), UpgradeError>) {
    // First: a request that follows the line is another attempt.
    let answers = life.succession.end_attempt(outcome, life.now());
    if let Err(error) = outcome {
        life.writer.say(upgrades::failed(error));
        if finds_an_address_in_use(error) && !net::has_any() {
            life.writer.say(upgrades::has_no_socket());
        }
        #[cfg(feature = "systemd")]
        crate::with::systemd::upgrade_failed(life, error);
    }
    for answer in answers {
        let _ = answer.send(outcome.clone());
    }
    #[cfg(feature = "metrics")]
    life.notifier.wakeup.wake();
}

struct Attempt<'a> {
    life: &'a Arc<Lifecycle>,
    began: Instant,
}

impl Attempt<'_> {
    fn run(&self) -> Result<Successor, UpgradeError> {
        let not_started = |why: String| UpgradeError::NotStarted(why.into());
        let program = program::get();
        let image = program.image().map_err(not_started)?;
        let generation = succession::generation() + 1;
        self.life.writer.say(upgrades::begun(program.path(), generation, self.limit()));
        #[cfg(feature = "systemd")]
        crate::with::systemd::upgrade_begins(self.life, self.limit());
        let offers = self.offers()?;
        let of_system = |error: io::Error| UpgradeError::NotStarted(error.to_string().into());
        let (ours, theirs) = UnixStream::pair().map_err(of_system)?;
        ours.set_nonblocking(true).map_err(of_system)?;
        let mut handing = Handing::new(&ours, generation, &offers);
        let started = Successor::start(image, &theirs, supervisor::parent_of_successors());
        drop(theirs);
        let mut successor = started.map_err(|error| not_started(upgrades::no_program(program.path(), &error)))?;
        // What fits is there before the successor asks for it: that takes it longer. One that has ended already has said
        // why before that.
        let _ = handing.go_on();
        match self.wait(&mut successor, &mut handing) {
            Ok(process) => self.make_way(successor, &ours, generation, process),
            Err(error) => {
                self.end(&mut successor, &mut handing);
                Err(with_status(error, &mut successor, &mut handing))
            }
        }
    }

    fn limit(&self) -> Duration {
        self.life.settings.upgrade.timeout
    }

    fn left(&self) -> Duration {
        self.limit().saturating_sub(self.began.elapsed())
    }

    fn is_stopping(&self) -> bool {
        self.life.phase.state() >= State::Draining
    }

    /// Asks code of the user's for what it leaves to the successor.
    fn offers(&self) -> Result<Vec<Offered>, UpgradeError> {
        let mut all = Vec::new();
        for (name, offer) in self.life.succession.offers() {
            let (answer, bytes) = mpsc::channel();
            let runtime = self.life.runtime.get().ok_or(UpgradeError::Stopped)?;
            runtime.spawn_blocking(move || {
                let offered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| offer()));
                let _ = answer.send(offered.map_err(|payload| {
                    let why = text::of_panic(payload.as_ref()).to_owned();
                    outcome::discard(payload);
                    why
                }));
            });
            let bytes = loop {
                match bytes.recv_timeout(CHECK_PERIOD.min(self.left())) {
                    Ok(Ok(bytes)) if bytes.len() <= LONGEST => break Ok(bytes),
                    Ok(Ok(bytes)) => break Err(upgrades::offer_is_long(&name, bytes.len(), LONGEST)),
                    Ok(Err(why)) => break Err(upgrades::offer_panicked(&name, &why)),
                    Err(_) if self.is_stopping() => return Err(UpgradeError::Stopped),
                    Err(mpsc::RecvTimeoutError::Timeout) if !self.left().is_zero() => {}
                    Err(_) => break Err(upgrades::offer_is_slow(&name, self.limit())),
                }
            };
            all.push((name, bytes.map_err(|why| UpgradeError::NotStarted(why.into()))?));
        }
        Ok(all)
    }

    /// Waits until the successor is ready, and returns its number: that of the process that has said so.
    fn wait(&self, successor: &mut Successor, handing: &mut Handing<'_>) -> Result<u32, UpgradeError> {
        loop {
            sys::wait_for(handing.channel.as_fd(), handing.is_blocked, CHECK_PERIOD.min(self.left()));
            // A successor that ends with something unread has said why before that.
            let _ = handing.go_on();
            if let Some(frame) = handing.read().map_err(|error| UpgradeError::OtherVersion(error.to_string().into()))? {
                return ready(&frame);
            }
            if self.is_stopping() {
                return Err(UpgradeError::Stopped);
            }
            if let Some(Ended(status)) = successor.ended() {
                return Err(UpgradeError::Ended { status, why: None });
            }
            if self.left().is_zero() {
                return Err(UpgradeError::NotReady(self.limit()));
            }
            if handing.reader.is_at_end {
                // Nothing wakes this thread any more; what ends the successor's end of the channel is mostly its end.
                std::thread::sleep(CHECK_PERIOD / 4);
            }
        }
    }

    /// The point of no return: the stop of this process has one cause, and it is this.
    fn make_way(
        &self,
        mut successor: Successor,
        channel: &UnixStream,
        generation: u32,
        process: u32,
    ) -> Result<Successor, UpgradeError> {
        let make_way = || {
            successor.release();
            // Before the successor notifies systemd: only the main process may.
            #[cfg(feature = "systemd")]
            if crate::with::systemd::is_asked_for() {
                successor.wait_until_released();
                crate::with::systemd::upgraded(self.life, process);
            }
            let _ = channel::send(channel, &channel::frame(Kind::Go, &[]));
        };
        if !self.life.begin_stop_after(Cause::Upgraded(generation), make_way) {
            self.terminate(&mut successor);
            return Err(UpgradeError::Stopped);
        }
        successor.wait_until_released();
        self.life.writer.say(upgrades::done(generation, process, self.began.elapsed()));
        Ok(successor)
    }

    /// Ends what has failed. What it says meanwhile is read.
    fn end(&self, successor: &mut Successor, handing: &mut Handing<'_>) {
        let _ = handing.read();
        self.terminate(successor);
        let _ = handing.read();
    }

    /// A SIGTERM, the time for an orderly end, and a SIGKILL: in a stop, no later than its budget allows.
    fn terminate(&self, successor: &mut Successor) {
        let asked = Instant::now();
        if successor.ended().is_none() {
            successor.terminate();
        }
        while successor.ended().is_none() && asked.elapsed() < TO_TERMINATE && !self.is_time_to_leave() {
            std::thread::sleep(Duration::from_millis(2));
        }
        successor.kill();
    }

    /// Half of the budget is gone.
    fn is_time_to_leave(&self) -> bool {
        let budget = self.life.phase.budget();
        budget.and_then(Budget::half).is_some_and(|half| half <= self.life.now())
    }
}

/// How it has ended and what it has said may be known only now.
fn with_status(error: UpgradeError, successor: &mut Successor, handing: &mut Handing<'_>) -> UpgradeError {
    match error {
        UpgradeError::Ended { .. } => {
            UpgradeError::Ended { status: successor.ended().and_then(|Ended(status)| status), why: handing.why.take() }
        }
        error => error,
    }
}

/// As far as its last words tell: `Debug` and `Display` of the error differ.
fn finds_an_address_in_use(error: &UpgradeError) -> bool {
    let UpgradeError::Ended { why: Some(why), .. } = error else { return false };
    why.contains("AddrInUse") || why.contains("Address already in use")
}

/// The number of the process that is ready.
fn ready(frame: &Frame) -> Result<u32, UpgradeError> {
    match (frame.kind, frame.numbers()) {
        (Kind::Ready, Some([VERSION, process])) => Ok(process),
        (Kind::Ready, Some([version, _])) => {
            let why = format!("it speaks version {version} of the protocol, and this one version {VERSION}");
            Err(UpgradeError::OtherVersion(why.into()))
        }
        _ => Err(UpgradeError::OtherVersion("it sent what this one cannot read".into())),
    }
}

/// What is handed over, and how far that has come.
struct Handing<'a> {
    channel: &'a UnixStream,
    /// What has yet to be written.
    bytes: Vec<u8>,
    sent: net::Sent,
    are_sockets_sent: bool,
    /// What follows the sockets.
    rest: Option<Vec<u8>>,
    /// There is more to write when the channel has room.
    is_blocked: bool,
    reader: Reader,
    /// What the successor has said of its end.
    why: Option<Arc<str>>,
}

impl<'a> Handing<'a> {
    fn new(channel: &'a UnixStream, generation: u32, offers: &[Offered]) -> Self {
        let bytes = channel::frame(Kind::Hello, &[&VERSION.to_le_bytes(), &generation.to_le_bytes()]);
        let mut rest = Vec::new();
        for (name, offer) in offers {
            rest.extend(channel::frame(Kind::Bytes, &[name.as_bytes(), offer]));
        }
        rest.extend(channel::frame(Kind::End, &[]));
        let rest = Some(rest);
        let (sent, reader) = (net::begin_to_hand_on(), Reader::default());
        Self { channel, bytes, sent, are_sockets_sent: false, rest, is_blocked: false, reader, why: None }
    }

    /// Sends what the channel has room for.
    fn go_on(&mut self) -> io::Result<()> {
        loop {
            if !self.write()? {
                self.is_blocked = true;
                return Ok(());
            }
            if !self.are_sockets_sent {
                match net::send_next(self.channel, &mut self.sent)? {
                    None => self.are_sockets_sent = true,
                    Some(true) => {}
                    Some(false) => {
                        self.is_blocked = true;
                        return Ok(());
                    }
                }
            } else if let Some(rest) = self.rest.take() {
                self.bytes = rest;
            } else {
                self.is_blocked = false;
                return Ok(());
            }
        }
    }

    /// Whether all of it is written.
    fn write(&mut self) -> io::Result<bool> {
        while !self.bytes.is_empty() {
            match (&*self.channel).write(&self.bytes) {
                Ok(written) => drop(self.bytes.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // It has gone; how is to be seen.
                    self.is_blocked = false;
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    /// The next frame that is no reason of a failure.
    fn read(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let had = self.reader.is_at_end;
            let frame = if had { None } else { self.reader.read(self.channel)? };
            match frame {
                Some(frame) if frame.kind == Kind::Failed => {
                    if let Some([why]) = frame.parts() {
                        self.why = Some(text::cut(&String::from_utf8_lossy(why)).into());
                    }
                }
                frame => return Ok(frame),
            }
        }
    }
}
