//! Random programs, and a model of the documented rules that judges how each of them ends.
//!
//! `cargo test --test random` runs 200 of them. `RANDOM_SEEDS=2000` runs so many, `RANDOM_FROM=201` begins with that
//! seed, `RANDOM_SEED=17` runs this one alone and shows its output, as does `RANDOM_PROGRAM='<description>'` for a
//! program written by hand. One that breaks a rule is shrunk, and the smallest that still breaks it is shown.
#![cfg(unix)]

mod actor;
mod course;
mod facts;
mod failures;
mod generate;
mod judge;
mod late;
mod program;
mod run;
mod seed;
mod shrink;
mod text;

use std::cell::RefCell;
use std::env::{args, var};
use std::panic::set_hook;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use judge::Broken;
use program::Program;
use run::Run;

/// How many programs run at once: they mostly wait.
const SIDE_BY_SIDE: usize = 4;

/// How many failures are shrunk, unless `RANDOM_SHRINK` says otherwise: the first ones show what is wrong.
const SHRUNK: usize = 3;

/// The outcome of a program.
enum Verdict {
    Fine(Box<Run>),
    Broken(Broken, Option<Box<Run>>),
}

thread_local! {
    /// The last panic of this thread.
    static REASON: RefCell<String> = const { RefCell::new(String::new()) };
}

fn reason() -> String {
    REASON.take()
}

fn main() -> ExitCode {
    if args().any(|argument| argument == "--list") {
        println!("random programs: test");
        return ExitCode::SUCCESS;
    }
    graceful_tests::ignore_nothing();
    set_hook(Box::new(|info| REASON.set(info.to_string())));
    late::watch();
    if let Ok(text) = var("RANDOM_PROGRAM") {
        return match text.parse() {
            Ok(program) => show(&program),
            Err(why) => {
                println!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    if let Some(seed) = number("RANDOM_SEED") {
        let program = generate::program(seed);
        println!("seed {seed}");
        return show(&program);
    }
    let from = number("RANDOM_FROM").unwrap_or(1);
    all(from, number("RANDOM_SEEDS").unwrap_or(200))
}

fn number(name: &str) -> Option<u64> {
    let text = var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

/// Runs one program and judges it.
fn verdict(program: &Program) -> Verdict {
    match run::run(program) {
        Ok(run) => match judge::judge(&run) {
            Ok(()) => Verdict::Fine(Box::new(run)),
            Err(broken) => Verdict::Broken(broken, Some(Box::new(run))),
        },
        Err(how) => {
            let rule = "it can be run, and leaves no process behind";
            Verdict::Broken(Broken { rule, how }, None)
        }
    }
}

/// Runs one program, and shows it whatever its outcome.
fn show(program: &Program) -> ExitCode {
    println!("{program}");
    let (run, code) = match verdict(program) {
        Verdict::Fine(run) => (Some(run), ExitCode::SUCCESS),
        Verdict::Broken(broken, run) => {
            println!("BROKEN: {}: {}", broken.rule, broken.how);
            (run, ExitCode::FAILURE)
        }
    };
    if let Some(run) = run {
        println!("{}", transcript(&run));
    }
    code
}

fn transcript(run: &Run) -> String {
    let sent = run.sent.iter().map(|(at, signal)| format!("  sent {signal} at {at} us\n"));
    let sent: String = sent.collect();
    let (late, queued) = (run.late.as_millis(), run.queued.as_millis());
    format!("{sent}  gone at {} us; the machine was {late} ms late, {queued} ms with a queue\n{}", run.gone, run.end)
}

/// Runs so many seeds, some at a time.
fn all(from: u64, many: u64) -> ExitCode {
    let begun = Instant::now();
    let next = AtomicU64::new(from);
    let overloaded = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + many {
                        break;
                    }
                    let program = generate::program(seed);
                    match verdict(&program) {
                        Verdict::Fine(run) => {
                            overloaded.fetch_add(run.is_overloaded().into(), Ordering::Relaxed);
                        }
                        Verdict::Broken(broken, run) => {
                            println!("seed {seed}: {}: {}", broken.rule, broken.how);
                            failed.lock().expect("nobody panics here").push((seed, broken, run));
                        }
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("nobody panics here");
    failed.sort_by_key(|(seed, ..)| *seed);
    let shrunk = number("RANDOM_SHRINK").map_or(SHRUNK, |many| usize::try_from(many).unwrap_or(SHRUNK));
    for (seed, broken, run) in failed.iter().take(shrunk) {
        explain(*seed, broken, run.as_deref());
    }
    println!(
        "random: seeds {from} to {} in {:.1} s; {} on an overloaded machine; {} failed",
        from + many - 1,
        begun.elapsed().as_secs_f64(),
        overloaded.into_inner(),
        failed.len()
    );
    for (seed, broken, _) in &failed {
        println!("  RANDOM_SEED={seed} cargo test --test random  # {}: {}", broken.rule, broken.how);
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Shows what failed, and the smallest program that fails in the same way.
fn explain(seed: u64, broken: &Broken, run: Option<&Run>) {
    let program = generate::program(seed);
    println!("\nseed {seed}: {}: {}\n{program}", broken.rule, broken.how);
    if let Some(run) = run {
        println!("{}", transcript(run));
    }
    let smallest = shrink::shrink(&program, broken.rule, |program| match verdict(program) {
        Verdict::Fine(_) => None,
        Verdict::Broken(broken, _) => Some(broken),
    });
    println!("the smallest that breaks the same rule:");
    println!("  RANDOM_PROGRAM='{smallest}' cargo test --test random\n");
}
