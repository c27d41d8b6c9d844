//! Programs around a child, in rows: in front of a terminal with a shell that has job control, inside and around other
//! programs that run a command, and as PID 1.
#![cfg(target_os = "linux")]

mod job_control;
mod orphans;
mod runners;

use std::io::{Write, stderr};
use std::process::Command;

/// Whether a row has to be skipped, since a program in it is not there.
fn skips(line: &str) -> bool {
    let is_missing =
        |program: &&str| line.contains(*program) && Command::new(program).arg("--version").output().is_err();
    let missing = ["tini", "dumb-init"].into_iter().find(is_missing);
    if let Some(program) = missing {
        // Bypasses the capture of output: a skipped test must not look like a success.
        let _ = writeln!(stderr(), "\n*** SKIPPED: {line}. To have {program}: .ci/servers ***\n");
    }
    missing.is_some()
}
