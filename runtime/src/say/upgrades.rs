//! The lines about upgrades in place.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use crate::model::hook::HookStage;
use crate::model::text::{cut, name, span};
use crate::model::upgrade::UpgradeError;
use crate::say::line::Line;

pub(crate) fn begun(program: &Path, generation: u32, limit: Duration) -> Line {
    let program = cut(&program.to_string_lossy());
    Line::info(format!("upgrade: starting {program} as generation {generation}; it has {} to be ready", span(limit)))
}

/// For deploy scripts, too: `upgrade done` or `upgrade failed`.
pub(crate) fn done(generation: u32, process: u32, took: Duration) -> Line {
    Line::info(format!(
        "upgrade done: generation {generation}, process {process}, is ready after {}; this process stops",
        span(took)
    ))
    .after(took)
}

/// The new process found an address in use, and there was nothing to hand over.
pub(crate) fn has_no_socket() -> Line {
    Line::warn("upgrade: no socket is from graceful::listen(): the new process cannot bind a port that this one has")
}

pub(crate) fn failed(error: &UpgradeError) -> Line {
    Line::error(failure(error))
}

/// `upgrade failed: …; this process goes on`.
pub(crate) fn failure(error: &UpgradeError) -> String {
    match error {
        UpgradeError::Refused(_) => format!("upgrade refused: {error}"),
        UpgradeError::Stopped => format!("upgrade failed: {error}"),
        _ => format!("upgrade failed: {error}; this process goes on"),
    }
}

pub(crate) fn under_way() -> Line {
    Line::info("an upgrade is under way; this request gets its outcome")
}

pub(crate) fn took_over(generation: u32) -> Line {
    Line::info(format!("generation {generation} serves; the process before it stops"))
}

pub(crate) fn predecessor_is_gone() -> Line {
    Line::warn("the process before this one ended before it made way; this one goes on as the service")
}

pub(crate) fn hook_skipped(stage: HookStage, hook: &str) -> Line {
    Line::debug(format!("{stage} hook `{}`: not run, since the process before this one goes on", name(hook)))
}

pub(crate) fn nobody_asked_for(name: &str, address: &str) -> Line {
    let name = if name.is_empty() { "without a name".to_owned() } else { format!("`{}`", cut(name)) };
    Line::warn(format!("closed the socket {name} ({}), for which this version has no use", cut(address)))
}

pub(crate) fn cannot_write_pid_file(path: &Path, error: &impl Display) -> Line {
    Line::warn(format!("cannot write the PID file {}: {error}", cut(&path.to_string_lossy())))
}

// ----- why nothing was tried -----

pub(crate) const NOT_READY: &str = "this process has not called graceful::ready(): ask again when it has";

pub(crate) const NOT_SERVING: &str = "the process before this one has not made way: ask again when it has";

pub(crate) const IS_STOPPING: &str = "this process stops";

pub(crate) const IN_A_TEST: &str = "the lifecycle of a test is not upgraded";

pub(crate) const IS_PID_1: &str =
    "this process is PID 1, and its end is that of the container: deploy the new version as a rollout instead";

/// `parent` takes the end of its child for that of the service.
pub(crate) fn is_watched_by(parent: &str) -> String {
    format!(
        "`{parent}` started this process and takes its end for that of the service: restart it through that, or deploy \
         the new version as a rollout"
    )
}

// ----- why it was not started -----

pub(crate) fn no_program(path: &Path, error: &impl Display) -> String {
    format!("{}: {error}", cut(&path.to_string_lossy()))
}

pub(crate) fn no_directory(path: &Path, error: &impl Display) -> String {
    format!("its working directory {}: {error}", cut(&path.to_string_lossy()))
}

pub(crate) fn no_place(error: &impl Display) -> String {
    format!("the working directory at the start of this process is not known: {error}")
}

pub(crate) fn offer_panicked(name: &str, why: &str) -> String {
    format!("hand_over `{}` panicked: {}", cut(name), cut(why))
}

pub(crate) fn offer_is_slow(name: &str, limit: Duration) -> String {
    format!("hand_over `{}` did not return within {}", cut(name), span(limit))
}

pub(crate) fn offer_is_long(name: &str, bytes: usize, longest: usize) -> String {
    format!("hand_over `{}` returned {bytes} bytes, and {longest} are the most", cut(name))
}

// ----- the successor, before there is a writer -----

pub(crate) fn cannot_succeed(error: &impl Display) -> String {
    format!("cannot take over from the process before this one: {error}")
}
