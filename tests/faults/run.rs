//! Runs the table and prints it as it goes.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::End;
use nix::sys::resource::{Resource, setrlimit};

use crate::expected::Way;
use crate::row::Row;
use crate::scene::{self, AGAIN, Scene};
use crate::{left_behind, load, own_user};

/// How many rows run at once, apart from those that run alone.
const SIDE_BY_SIDE: usize = 3;

/// How many runs of a row that is repeated go on at once.
const AT_ONCE: usize = 4;

/// How often a run is repeated for which the test itself was too slow.
const TRIES: usize = 10;

/// A row on one of its runtimes.
struct Task<'a> {
    row: &'a Row,
    runtime: &'static str,
}

/// Its outcome.
struct Done {
    line: String,
    /// The runs that did not end as they had to.
    failures: Vec<String>,
    is_skipped: bool,
}

/// Runs all rows that the command line selects, and prints which failed.
pub(crate) fn table(rows: &[Row]) -> ExitCode {
    let (filters, options): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|it| !it.starts_with('-'));
    let tasks: Vec<_> = rows
        .iter()
        .flat_map(|row| row.runtimes.iter().map(move |&runtime| Task { row, runtime }))
        .filter(|task| {
            let name = task.name();
            filters.is_empty() || filters.iter().any(|filter| name.contains(filter))
        })
        .collect();
    if options.iter().any(|option| option == "--list") {
        for task in &tasks {
            println!("{}: test", task.name());
        }
        return ExitCode::SUCCESS;
    }

    // A panic of a run is its row's failure. A child that aborts leaves no core file.
    set_hook(Box::new(|info| REASON.set(info.to_string())));
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let no_namespaces = scene::namespaces().err();

    load::watch();
    let begun = Instant::now();
    let (alone, together): (Vec<_>, Vec<_>) = tasks.iter().partition(|task| task.row.is_alone);
    let (done, results) = channel();
    let all: Vec<Done> = thread::scope(|scope| {
        scope.spawn(|| {
            let no_namespaces = no_namespaces.as_deref();
            run(&together, load::at_once(SIDE_BY_SIDE), no_namespaces, &done);
            run(&alone, 1, no_namespaces, &done);
            drop(done);
        });
        results.iter().inspect(|done: &Done| println!("{}", done.line)).collect()
    });
    own_user::tidy_up();
    conclude(&all, begun.elapsed())
}

/// Runs tasks, so many at a time.
fn run(tasks: &[&Task<'_>], at_once: usize, no_namespaces: Option<&str>, done: &Sender<Done>) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let no_namespace = no_namespaces.filter(|_| task.row.stage.needs_a_namespace());
                    let why = no_namespace.map(str::to_owned).or_else(|| scene::no_starter(task.row));
                    let result = why.map_or_else(|| task.run(), |why| task.skipped(&why));
                    let _ = done.send(result);
                }
            });
        }
    });
}

/// Lists what failed, the reasons first. A skipped row proves nothing, and is printed too.
fn conclude(all: &[Done], took: Duration) -> ExitCode {
    let skipped: Vec<_> = all.iter().filter(|done| done.is_skipped).collect();
    let failed: Vec<_> = all.iter().filter(|done| !done.failures.is_empty()).collect();
    for done in &failed {
        println!("\n{}", done.line);
        for failure in &done.failures {
            println!("{failure}");
        }
    }
    println!(
        "\nfaults: {} rows in {:.1} s; {} failed, {} skipped, which proves nothing of them",
        all.len(),
        took.as_secs_f64(),
        failed.len(),
        skipped.len()
    );
    for done in skipped.iter().chain(&failed) {
        println!("{}", done.line);
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

thread_local! {
    /// The last panic of the run on this thread.
    static REASON: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Task<'_> {
    fn name(&self) -> String {
        format!("{:8} {} [{}]", self.row.group, self.row.name, self.runtime)
    }

    fn skipped(&self, why: &str) -> Done {
        Done { line: format!("{:74} SKIPPED: {why}", self.name()), failures: Vec::new(), is_skipped: true }
    }

    /// Runs it as often as the row says, and collects the outcomes.
    fn run(&self) -> Done {
        let setups = self.row.setups.iter();
        let setups: Vec<_> = setups.flat_map(|setup| (0..self.row.times).map(move |_| setup.as_str())).collect();
        let next = AtomicUsize::new(0);
        let (done, runs) = channel();
        thread::scope(|scope| {
            for _ in 0..load::at_once(AT_ONCE.min(setups.len())) {
                let (done, setups, next) = (done.clone(), &setups, &next);
                scope.spawn(move || {
                    while let Some(setup) = setups.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let _ = done.send(attempt(|| self.run_once(setup)));
                    }
                });
            }
        });
        drop(done);

        let (mut ends, mut failures) = (Vec::new(), Vec::new());
        let (mut longest, mut in_time) = (Duration::ZERO, true);
        for run in runs {
            match run {
                Ok((end, took, was_in_time)) => {
                    ends.push(end);
                    longest = longest.max(took);
                    in_time &= was_in_time;
                }
                Err(why) => failures.push(why),
            }
        }
        if let Some(look) = self.row.expected.look_at_all {
            failures.extend(attempt(|| look(&ends)).err());
        }
        let ways = Way::tally(ends.iter().filter_map(Way::of));
        let verdict = match failures.len() {
            0 if in_time => "ok".to_owned(),
            0 => "ok, on an overloaded machine".to_owned(),
            1 if setups.len() == 1 => "FAILED".to_owned(),
            some => format!("FAILED {some} of {}", setups.len()),
        };
        Done {
            line: format!("{:74} {ways:>8} {:6} ms  {verdict}", self.name(), longest.as_millis()),
            failures,
            is_skipped: false,
        }
    }

    /// One process: how it ended, how long it took from the act on, and whether that was in time.
    fn run_once(&self, setup: &str) -> (End, Duration, bool) {
        let begun = Instant::now();
        let mut tries = 0;
        let (scene, tag, acted) = loop {
            let mut scene = Scene::open(self.row, self.runtime, setup);
            let tag = scene.tag.clone();
            let acted = attempt(|| (self.row.act)(&mut scene));
            tries += 1;
            let is_void = acted.as_ref().is_err_and(|why| why.contains(AGAIN));
            if !is_void || tries == TRIES {
                break (scene, tag, acted);
            }
        };
        let ended = acted.and_then(|since| attempt(|| (scene.end(), since)));
        let alone = attempt(|| left_behind::assert_none(&tag));
        let (end, since) = ended.unwrap_or_else(|why| panic!("{why}"));
        let took = end.after(since);
        let expected = &self.row.expected;
        let in_time = expected.check(&end, took, load::since(begun));
        alone.unwrap_or_else(|why| panic!("{why}\n{end}"));
        (end, took, in_time)
    }
}

/// Its result, or the text of its panic.
fn attempt<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| REASON.take())
}
