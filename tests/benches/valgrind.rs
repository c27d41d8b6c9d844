//! The instructions and allocations of a program, counted by valgrind, however noisy the machine is.

use std::process::{Command, Stdio};

use crate::contenders::Contender;

/// How often the task is done in the two runs whose difference is taken, so that the start-up cancels.
const LENGTHS: [usize; 2] = [2_000, 12_000];

/// Instructions for each unit of the task.
pub(crate) fn instructions(contender: Contender, task: &str) -> Result<f64, String> {
    let tool = [
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        // A spinning thread must not starve the one it waits for.
        "--fair-sched=try",
    ];
    for_each(contender, task, &tool, "Collected :")
}

/// Allocations for each unit of the task.
pub(crate) fn allocations(contender: Contender, task: &str) -> Result<f64, String> {
    let tool = ["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"];
    for_each(contender, task, &tool, "total heap usage:")
}

/// The number behind `label`, for each unit of the task.
fn for_each(contender: Contender, task: &str, tool: &[&str], label: &str) -> Result<f64, String> {
    let counted = LENGTHS.map(|n| count(contender, task, n, tool, label));
    let [short, long] = counted;
    #[allow(clippy::cast_precision_loss)] // thousands
    let more = (LENGTHS[1] - LENGTHS[0]) as f64;
    Ok((long? - short?) / more)
}

fn count(contender: Contender, task: &str, n: usize, tool: &[&str], label: &str) -> Result<f64, String> {
    let ran = Command::new("valgrind")
        .args(tool)
        .arg(contender.path())
        .args([task, &n.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind cannot be started ({error}); install it"))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    if !ran.status.success() {
        return Err(format!("{} {task} {n}: {}\n{said}", contender.name, ran.status));
    }
    let number = said.lines().find_map(|line| {
        let number = line.split_once(label)?.1.split_whitespace().next()?;
        number.replace(',', "").parse().ok()
    });
    number.ok_or_else(|| format!("valgrind did not say `{label}`\n{said}"))
}
