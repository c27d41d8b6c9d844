//! Runs the rows and prints how each ended.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::host::{Host, Kind};

/// How many rows run at once: most of them wait.
const SIDE_BY_SIDE: usize = 6;

/// A claim, and what shows it.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) claim: &'static str,
    pub(crate) run: fn(&Host),
}

/// A row that ends the systemd, or stops the units of others: alone, after all others.
#[derive(Clone, Copy)]
pub(crate) struct LastRow {
    pub(crate) claim: &'static str,
    pub(crate) run: fn(&mut Host),
}

/// Why a row proves nothing here.
struct Skipped(String);

/// Ends the row: it proves nothing here.
pub(crate) fn skip_here(why: &str) -> ! {
    resume_unwind(Box::new(Skipped(why.to_owned())))
}

thread_local! {
    /// Where and why this thread panicked last.
    static REASON: RefCell<String> = const { RefCell::new(String::new()) };
}

/// How the rows have ended.
#[derive(Default)]
struct Results {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

/// Runs all rows that the command line selects. Those about limits take a systemd that can limit.
pub(crate) fn run(together: &[Row], limits: &[Row], last: &[LastRow]) -> ExitCode {
    let (filters, options): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|it| !it.starts_with('-'));
    let is_wanted = |claim: &str| filters.is_empty() || filters.iter().any(|filter| claim.contains(filter.as_str()));
    let claims = together.iter().chain(limits).map(|row| row.claim).chain(last.iter().map(|row| row.claim));
    let claims: Vec<_> = claims.filter(|claim| is_wanted(claim)).collect();
    if options.iter().any(|option| option == "--list") {
        for claim in claims {
            println!("{claim}: test");
        }
        return ExitCode::SUCCESS;
    }
    if claims.is_empty() {
        return ExitCode::SUCCESS;
    }
    set_hook(Box::new(|info| REASON.set(info.to_string())));
    let selected = |rows: &[Row]| rows.iter().filter(|row| is_wanted(row.claim)).copied().collect::<Vec<_>>();
    let (mut together, mut limits) = (selected(together), selected(limits));
    let last: Vec<_> = last.iter().filter(|row| is_wanted(row.claim)).copied().collect();

    let begun = Instant::now();
    let results = Mutex::new(Results::default());
    match Host::boot(Kind::Unified) {
        Err(why) => skip(&claims, &why, &results),
        Ok(mut host) => {
            if host.can_limit() {
                together.append(&mut limits);
            }
            side_by_side(&together, &host, &results);
            for row in last {
                judge(row.claim, &results, || (row.run)(&mut host));
            }
            drop(host);
            // On a machine whose controllers are in hierarchies of the old kind.
            if !limits.is_empty() {
                match Host::boot(Kind::Hybrid) {
                    Ok(host) if host.can_limit() => side_by_side(&limits, &host, &results),
                    other => {
                        let why = other.err().unwrap_or_else(|| "no controllers for memory and CPU".to_owned());
                        skip(&limits.iter().map(|row| row.claim).collect::<Vec<_>>(), &why, &results);
                    }
                }
            }
        }
    }
    conclude(&results.into_inner().expect("no thread panicked"), begun)
}

/// Runs rows, so many at a time.
fn side_by_side(rows: &[Row], host: &Host, results: &Mutex<Results>) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    judge(row.claim, results, || (row.run)(host));
                }
            });
        }
    });
}

/// Runs a row. One that panics has failed, unless it says that it proves nothing here.
fn judge(claim: &'static str, results: &Mutex<Results>, run: impl FnOnce()) {
    let begun = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(run));
    let took = begun.elapsed().as_secs_f64();
    let mut results = results.lock().expect("no thread panicked");
    match ended {
        Ok(()) => {
            println!("{took:5.1} s  {claim}");
            results.passed += 1;
        }
        Err(payload) => {
            if let Ok(why) = payload.downcast::<Skipped>() {
                println!("SKIPPED  {claim}: {}", why.0);
                results.skipped.push(format!("{claim}: {}", why.0));
            } else {
                println!("FAILED   {claim}");
                results.failed.push(format!("{claim}\n{}", REASON.take()));
            }
        }
    }
}

fn skip(claims: &[&str], why: &str, results: &Mutex<Results>) {
    let mut results = results.lock().expect("no thread panicked");
    results.skipped.extend(claims.iter().map(|claim| format!("{claim}: {why}")));
}

/// Lists what failed. A skipped row proves nothing, and is printed too.
fn conclude(results: &Results, begun: Instant) -> ExitCode {
    for failure in &results.failed {
        println!("\n{failure}");
    }
    if !results.skipped.is_empty() {
        println!("\n*** SKIPPED, which proves nothing of them (as root, with the package systemd, they run):");
        for skipped in &results.skipped {
            println!("*** {skipped}");
        }
    }
    println!(
        "\nsystemd_real: {} rows passed, {} failed, {} skipped, in {:.1} s",
        results.passed,
        results.failed.len(),
        results.skipped.len(),
        begun.elapsed().as_secs_f64()
    );
    if results.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
