//! The lines about child processes.

use std::io;
use std::process::ExitStatus;

use crate::model::text::name;
use crate::say::line::Line;

pub(crate) fn not_run(error: &io::Error) -> String {
    format!("the child process could not be started: {error}")
}

pub(crate) fn not_started(error: &io::Error) -> Line {
    Line::error(not_run(error))
}

pub(crate) fn ended(status: ExitStatus) -> String {
    format!("the child process ended: {status}")
}

/// `has_terminal`: the child has its turn in the foreground, as far as this process has.
pub(crate) fn suspended(child: &str, by: i32, has_terminal: bool) -> Line {
    let (signal, did) = match by {
        libc::SIGTTIN => ("SIGTTIN", Some("it read from the terminal")),
        libc::SIGTTOU => ("SIGTTOU", Some("it wrote to the terminal, or changed its settings,")),
        libc::SIGTSTP => ("SIGTSTP", None),
        _ => ("SIGSTOP", None),
    };
    let why = match did {
        Some(did) if has_terminal => {
            format!(": {did} while this process is in the background, where nobody resumes it")
        }
        Some(did) => format!(": {did} in the background; give it Stdio::null(), or ChildCommand::foreground()"),
        None => String::new(),
    };
    Line::warn(format!("child process `{}` is suspended by {signal}{why}", name(child))).named(child)
}
