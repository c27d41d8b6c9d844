//! Cache lines that move between processors, on a machine with as many of them as there are threads. A program's accesses to
//! memory are traced, thread by thread, and replayed as if all threads ran at the same time and at the same speed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::contenders::Contender;

/// How often the task is done by each producer in the two runs whose difference is taken, so that the start-up cancels.
const LENGTHS: [usize; 2] = [200, 600];

/// As bytes, a cache line is two to the power of this.
const LINE: u32 = 6;

/// For each worker that these many producers start at the same time, how many lines come from another processor.
pub(crate) fn moved(contender: Contender, task: &str, producers: usize) -> Result<f64, String> {
    let [short, long] = LENGTHS.map(|n| trace(contender, task, n, producers).map(|trace| replay(&trace)));
    #[allow(clippy::cast_precision_loss)] // millions
    let (more, workers) = (long? as f64 - short? as f64, ((LENGTHS[1] - LENGTHS[0]) * producers) as f64);
    Ok(more / workers)
}

/// An access: a line, and whether it is written. Both in one word, for there are millions.
#[derive(Clone, Copy)]
struct Access(u64);

impl Access {
    fn line(self) -> u64 {
        self.0 >> 1
    }

    fn writes(self) -> bool {
        self.0 & 1 == 1
    }
}

/// What each thread has accessed, in its order.
type Trace = Vec<Vec<Access>>;

fn trace(contender: Contender, task: &str, n: usize, producers: usize) -> Result<Trace, String> {
    let mut program = Command::new("valgrind")
        .args(["--tool=lackey", "--trace-mem=yes", "--trace-sched=yes", "--fair-sched=yes"])
        .arg(contender.path())
        .args([task, &n.to_string(), &producers.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("valgrind cannot be started ({error}); install it"))?;
    let mut trace = Trace::new();
    let mut thread = 0;
    let mut lines = BufReader::with_capacity(1 << 20, program.stderr.take().ok_or("it has no standard error")?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(|error| error.to_string())? == 0 {
            break;
        }
        match line.first_chunk() {
            Some(b" L ") => push(&mut trace, thread, &line, false),
            Some(b" S " | b" M ") => push(&mut trace, thread, &line, true),
            Some(b"I  ") | None => {}
            Some(_) => thread = scheduled(&line).unwrap_or(thread),
        }
    }
    let status = program.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(trace) } else { Err(format!("{} {task} {n} {producers}: {status}", contender.name)) }
}

/// The thread that runs from this line on, if it says so: valgrind runs one at a time.
fn scheduled(line: &[u8]) -> Option<usize> {
    let line = str::from_utf8(line).ok()?;
    let (number, what) = line.split_once("SCHED[")?.1.split_once("]:")?;
    what.trim_start().starts_with("acquired lock").then(|| number.parse().ok()).flatten()
}

/// Notes an access such as ` S 1ffeffe7e8,8`.
fn push(trace: &mut Trace, thread: usize, line: &[u8], writes: bool) {
    let digits = line[3..].iter().take_while(|byte| **byte != b',');
    let address = digits
        .fold(0_u64, |address, digit| address << 4 | u64::from((*digit as char).to_digit(16).unwrap_or_default()));
    if trace.len() <= thread {
        trace.resize_with(thread + 1, Vec::new);
    }
    trace[thread].push(Access(address >> LINE << 1 | u64::from(writes)));
}

/// Each thread takes a step in turn. Returns how often a line came from another thread's processor.
fn replay(trace: &Trace) -> usize {
    // Those that have a copy, a bit each.
    let mut holders: HashMap<u64, u64> = HashMap::new();
    let mut moved = 0;
    let longest = trace.iter().map(Vec::len).max().unwrap_or_default();
    for step in 0..longest {
        for (thread, accesses) in trace.iter().enumerate() {
            let Some(access) = accesses.get(step) else {
                continue;
            };
            let own = 1_u64 << (thread % 64);
            let holders = holders.entry(access.line()).or_default();
            let others = *holders & !own;
            let is_at_hand = if access.writes() { others == 0 } else { *holders & own != 0 || others == 0 };
            moved += usize::from(!is_at_hand);
            *holders = if access.writes() { own } else { *holders | own };
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(line: u64) -> Access {
        Access(line << 1)
    }

    fn writes(line: u64) -> Access {
        Access(line << 1 | 1)
    }

    #[test]
    fn a_line_moves_when_another_thread_has_written_it() {
        assert_eq!(replay(&vec![vec![writes(1); 10], vec![writes(2); 10]]), 0, "each has its own");
        assert_eq!(replay(&vec![vec![writes(1); 10], vec![writes(1); 10]]), 19, "each time but the first");
        assert_eq!(replay(&vec![vec![reads(1); 10], vec![reads(1); 10]]), 1, "both have a copy");
        assert_eq!(replay(&vec![vec![writes(1)], vec![reads(1), reads(1), writes(1)]]), 2);
    }

    #[test]
    fn accesses_belong_to_the_thread_that_runs() {
        let line = b"--4711--   SCHED[3]:  acquired lock (VG_(vg_yield))\n";
        assert_eq!(scheduled(line), Some(3));
        assert_eq!(scheduled(b"--4711--   SCHED[3]: releasing lock (VG_(vg_yield)) -> VgTs_Yielding\n"), None);
        let mut trace = Trace::new();
        push(&mut trace, 1, b" S 1ffeffe7e8,8\n", true);
        let access = trace[1][0];
        assert_eq!((access.line(), access.writes()), (0x1f_feff_e7e8 >> 6, true));
    }
}
