//! A contender that runs: started, listened to, signalled, waited for.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::contenders::Contender;

/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    /// Starts it with a task and a number. What it says on standard error is not looked at.
    pub(crate) fn start(contender: Contender, task: &str, n: usize) -> Self {
        let mut command = Command::new(contender.path());
        command
            .args([task, &n.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("a contender starts");
        let stdout = child.stdout.take().expect("its output is piped");
        Self {
            child,
            stdout: BufReader::new(stdout),
        }
    }

    /// Its next line. An error when it ends without one.
    pub(crate) fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line) {
            Ok(0) => Err("it ended without a line".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Its next line as a number.
    pub(crate) fn number(&mut self) -> Result<f64, String> {
        let line = self.line()?;
        line.parse()
            .map_err(|_| format!("`{line}` is not a number"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
