//! An upgrade in place: a new process takes over the sockets, and the old one stops gracefully (feature `upgrade`).
//!
//! ```text
//! old:  request ─ start ─ hand over ───────── … wait … ───────── stop(Upgraded) ─ "go" ─ … drains, ends
//! new:                 └─ inherit ─ main ─ listen() ─ ready() ─┘                    └─ accepts
//! ```
//!
//! Nothing is given up before the new process is ready: until then the old one accepts alone, and the new one's `accept`
//! waits. The stop of the old one is the point of no return, and there is one cause of a stop: where a signal was first,
//! the new process is ended.

mod attempt;
mod predecessor;
mod program;
mod supervisor;
mod successor;

use std::io;
use std::sync::Arc;

use tokio::sync::oneshot;

pub(crate) use self::predecessor::{Inheritance, inherit};
pub(crate) use self::successor::kill as kill_successor;
use crate::life::lifecycle::Lifecycle;
use crate::life::succession::Answer;
use crate::model::name::ToName;
use crate::model::state::State;
pub use crate::model::upgrade::UpgradeError;
use crate::os::overheard::overhear;
use crate::os::{pid_file, threads};
use crate::say::upgrades;
use crate::work::ambient;
use crate::work::ambient::Caller;

/// Starts this program again, from the path it was started by, and hands its sockets over. When the new process is
/// [`ready`](crate::ready()), this one stops. Feature `upgrade`, on Unix.
///
/// The same happens at a signal of [`#[graceful::main(upgrade = "SIGUSR2")]`](macro@crate::main). Either way a line says
/// how it went: `upgrade done: …`, `upgrade failed: …` or `upgrade refused: …`.
///
/// The new process gets the sockets of [`listen()`](crate::net::listen()) and [`udp()`](crate::net::udp()) that are open
/// here, by their names, and what [`hand_over`] has for it. It has the arguments, the environment and the working directory
/// that this process was started with, its standard streams, its user and its limits. It has no other open file, no
/// blocked signal, and no variable more. Connections, workers, [`child`](crate::child) processes, timers and locks stay
/// here until this process ends. Until then the new process is its child, in a group of its own; not so under systemd.
///
/// Until the new process is ready, this one serves alone, and a listener of the new one accepts nobody. Then this process
/// begins its stop, with its whole budget and without a drain: what both can accept the new one accepts, and requests in
/// hand are finished. [`is_ready`](crate::is_ready) stays true here. From then on the new process is the service, and the
/// upgrade cannot fail any more.
///
/// A new process that ends, whatever the reason, or is not ready within
/// [`upgrade_timeout`](crate::Builder::upgrade_timeout), is ended together with its process group, by a SIGTERM and, two
/// seconds later, a SIGKILL; this one goes on as before, and the next upgrade is a new try. When this process is told to stop
/// meanwhile, it ends the new one first, and stops.
///
/// There is one upgrade at a time: another request gets the outcome of the one that is under way.
///
/// The page [`which_restart_for_whom`](crate::which_restart_for_whom) compares this with other ways to restart.
///
/// # Errors
///
/// Why there is no new process; this one goes on. [`UpgradeError::Refused`] where nothing was tried: in a process that is
/// not ready yet or that stops, in a test, as PID 1 of a container, and under a supervisor that would take the end of this
/// process for that of the service.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
///
/// # Cancel safety
///
/// Dropping the future before it was polled starts nothing; after that the upgrade goes on, and a line says how it went.
#[track_caller]
pub fn upgrade() -> impl Future<Output = Result<(), UpgradeError>> + Send + 'static {
    let life = Caller::expect("upgrade()").life;
    async move {
        let (answer, outcome) = oneshot::channel();
        request(&life, Some(answer));
        drop(life);
        outcome.await.unwrap_or(Err(UpgradeError::Stopped))
    }
}

/// What the next process of an [`upgrade`] gets from this one under this name: the bytes that `offer` returns when one
/// begins. Feature `upgrade`, on Unix.
///
/// It is for what is small and expensive to make again, such as a warm cache or a counter: up to a mebibyte. What the bytes
/// mean is the program's to say, and to check: the next process may be another version of it. It takes them with [`handed_over`].
///
/// `offer` runs on a thread of the runtime that may block. Should it panic, not return in time, or return more, the upgrade
/// fails, and this process goes on. What is registered under a name replaces what was.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn hand_over<'a>(name: &'a (impl ToName<'a> + ?Sized), offer: impl Fn() -> Vec<u8> + Send + Sync + 'static) {
    let life = Caller::expect("hand_over()").life;
    life.succession.offer(name.to_name().as_ref().into(), Arc::new(offer));
}

/// What the process before this one has [handed over](hand_over) under this name, once. `None` where there was no such
/// process, where it had nothing of this name, and outside any lifecycle. Feature `upgrade`, on Unix.
///
/// Take it before [`ready`](crate::ready()). A process that cannot read it returns an error from `main`: then the upgrade
/// has failed, and the process before it goes on.
///
/// ```no_run
/// #[graceful::main(upgrade = "SIGUSR2")]
/// async fn main() -> Result<(), std::num::TryFromIntError> {
///     let served = match graceful::handed_over("served") {
///         Some(bytes) => u64::from_le_bytes(bytes.try_into().unwrap_or_default()),
///         None => 0,
///     };
///     graceful::hand_over("served", move || served.to_le_bytes().to_vec());
///     graceful::ready();
///     graceful::stopping().await;
///     Ok(())
/// }
/// ```
pub fn handed_over<'a>(name: &'a (impl ToName<'a> + ?Sized)) -> Option<Vec<u8>> {
    let life = ambient::lifecycle()?;
    life.succession.predecessor()?.take_left(&name.to_name())
}

/// A signal asks for an upgrade. Called by the watch.
pub(crate) fn by_signal(life: &Arc<Lifecycle>) {
    request(life, None);
}

/// The outcome goes to the answer, and into a line.
fn request(life: &Arc<Lifecycle>, answer: Option<Answer>) {
    if let Some(why) = refusal(life) {
        let error = UpgradeError::Refused(why.into());
        life.writer.say(upgrades::failed(&error));
        if let Some(answer) = answer {
            let _ = answer.send(Err(error));
        }
        return;
    }
    if !life.succession.begin_attempt(answer) {
        life.writer.say(upgrades::under_way());
        return;
    }
    let mine = Arc::clone(life);
    if let Err(error) = threads::start("graceful-upgrade", Box::new(move || attempt::run(&mine))) {
        let why = UpgradeError::NotStarted(error.to_string().into());
        attempt::conclude(life, &Err(why));
    }
}

/// Why nothing can be tried.
fn refusal(life: &Lifecycle) -> Option<String> {
    let of_state = match life.phase.state() {
        _ if life.settings.is_test => Some(upgrades::IN_A_TEST),
        State::Starting => Some(upgrades::NOT_READY),
        State::Ready if life.succession.is_waiting() => Some(upgrades::NOT_SERVING),
        State::Ready => None,
        _ => Some(upgrades::IS_STOPPING),
    };
    of_state.map(str::to_owned).or_else(supervisor::refusal)
}

/// The lifecycle begins. A process with a predecessor has a thread until that one has made way.
pub(crate) fn begin(
    life: &Arc<Lifecycle>,
    inheritance: Option<Inheritance>,
    prepare: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let Some(inheritance) = inheritance else {
        return Ok(());
    };
    inheritance.accept(life);
    let mine = Arc::clone(life);
    let run = move || {
        prepare();
        predecessor::wait(&mine);
    };
    threads::start("graceful-takeover", Box::new(run)).map(drop)
}

/// Has std report main's result. A successor that is not ready yet keeps what std prints, for its predecessor.
pub(crate) fn report<T>(life: &Lifecycle, report: impl FnOnce() -> T) -> T {
    if !life.succession.is_waiting() {
        return report();
    }
    let (code, text) = overhear(report);
    if !text.trim().is_empty() {
        life.succession.keep_error_of_main(text.trim());
    }
    code
}

/// The lifecycle is over.
pub(crate) fn end(life: &Lifecycle) {
    predecessor::tell_failure(life);
    if let Some(path) = &life.settings.upgrade.pid_file {
        pid_file::remove(path);
    }
}
