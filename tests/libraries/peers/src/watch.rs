//! Runs a program, stops it, and says how it ended.

use std::env::current_exe;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::case::Case;

/// As long as a program without a limit of its own is given.
const PATIENCE: Duration = Duration::from_secs(12);

/// After how long a failure has not ended a process.
const GOES_ON: Duration = Duration::from_secs(3);

pub fn end_of(peer: &str, case: Case) -> String {
    // In the background of a shell SIGINT is ignored, and a program inherits that.
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(current_exe().expect("this program"));
    command.args([peer, case.name()]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().expect("it starts");
    let stdout = process.stdout.take().expect("a pipe");
    let up = BufReader::new(stdout).lines().next();
    assert_eq!(up.and_then(Result::ok).as_deref(), Some("up"), "{peer}, {case:?}");

    if case.is_failure() {
        if let Some((status, _)) = ends(&mut process, GOES_ON) {
            return format!("ends, {}", code(status));
        }
        interrupt(&process);
        let ended = ends(&mut process, PATIENCE);
        let code = ended.map_or("then never".to_owned(), |(status, _)| format!("then {}", code(status)));
        return format!("goes on; SIGINT {code}");
    }
    let begun = Instant::now();
    interrupt(&process);
    if case == Case::Second {
        sleep(Duration::from_millis(500));
        interrupt(&process);
    }
    match ends(&mut process, PATIENCE) {
        Some((status, at)) => format!("{:.1} s, {}", (at - begun).as_secs_f64(), code(status)),
        None => "never".to_owned(),
    }
}

fn interrupt(process: &Child) {
    let pid = Pid::from_raw(process.id().cast_signed());
    kill(pid, Signal::SIGINT).expect("it can be told");
}

/// When it ended; `None` if it has to be killed, where the patience was the last one.
fn ends(process: &mut Child, patience: Duration) -> Option<(ExitStatus, Instant)> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Some(status) = process.try_wait().expect("it can be waited for") {
            return Some((status, Instant::now()));
        }
        sleep(Duration::from_millis(5));
    }
    if patience == PATIENCE {
        process.kill().expect("it can be killed");
        process.wait().expect("it can be waited for");
    }
    None
}

fn code(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
    }
}
