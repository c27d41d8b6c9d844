//! The machine and the time of the measurement.

use std::fs;
use std::process::Command;
use std::thread;

/// The date, the processor, the kernel, the compiler, and the load of the machine before the measurement.
pub(crate) fn describe() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let (date, rustc) = (said("date", "+%F"), said("rustc", "--version"));
    format!("{date}; {model}, {cores} cores; Linux {kernel}; {rustc}; load {load} before")
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

/// The output of a program; empty where it is not installed.
fn said(program: &str, argument: &str) -> String {
    let ran = Command::new(program).arg(argument).output();
    let printed = ran.map_or_else(|_| Vec::new(), |ran| ran.stdout);
    String::from_utf8_lossy(&printed).trim().to_owned()
}
