//! Everything that is printed.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::client::Failure;
use crate::figures::{Figures, median, percentile};
use crate::load::{Kind, RATE};
use crate::measure::{AFTER, Plan};
use crate::service::START_UP;
use crate::usage::Usage;
use crate::way::Way;

type All<'a> = &'a [(Way, Figures)];

pub fn print(plan: &Plan, all: All<'_>, many: Option<(Usage, Usage)>) {
    println!("{}", circumstances(plan));
    println!();
    row("", all, |way, _| way.title());
    println!("|---|{}", "---|".repeat(all.len()));
    row("requests", all, |_, figures| figures.requests.to_string());
    row("failed", all, |_, figures| figures.failed.len().to_string());
    for failure in Failure::ALL {
        row(&format!("– {}", failure.name()), all, |_, figures| figures.count(failure).to_string());
    }
    row("failed on new, kept, long ones", all, |_, figures| failed_by_kind(figures));
    row("kept connections closed without a word", all, |_, figures| figures.closed.to_string());
    row("latency otherwise: p50, p99, max", all, |_, figures| latency(&figures.without));
    row("latency during a restart: p50, p99, max", all, |_, figures| latency(&figures.during));
    row("p99 during a restart by p99 otherwise: of all, median of the restarts", all, |_, figures| ratio(figures));
    row("from the request for it to the first answer: median, max", all, |_, figures| served(figures));
    let after_last = format!("after {}", plan.restarts);
    let usage = |what: &str, show: fn(Usage) -> String| {
        row(&format!("{what} after 1, {after_last}"), all, |_, figures| {
            let show = |usage: Option<Usage>| usage.map_or("?".to_owned(), show);
            format!("{}, {}", show(figures.after_first), show(figures.after_last))
        });
    };
    usage("open files (highest number)", files);
    usage("threads", |usage| usage.threads.to_string());
    usage("memory of its own, kB", |usage| usage.memory.to_string());
    if let Some((first, last)) = many {
        println!("\nThis crate, without load, after 1 upgrade and after {}:", plan.many);
        println!("open files (highest number) {}, {}", files(first), files(last));
        println!(
            "threads {}, {}; memory of its own {} kB, {} kB",
            first.threads, last.threads, first.memory, last.memory
        );
    }
    goals(all, many);
}

/// What this crate has to reach.
fn goals(all: All<'_>, many: Option<(Usage, Usage)>) {
    let Some((_, own)) = all.iter().find(|(way, _)| *way == Way::Graceful) else { return };
    let goal = |what: String, is_met: bool| println!("{}: {what}", if is_met { "met" } else { "MISSED" });
    println!("\nWhat this crate has to reach:");
    goal(format!("no request fails: {}", own.failed.len()), own.failed.is_empty());
    let ratio = median(&own.ratios).unwrap_or(f64::NAN);
    goal(format!("the p99 during an upgrade is at most 1.2 times that of otherwise: {ratio:.2}"), ratio <= 1.2);
    let typical = |figures: &Figures| percentile(&beyond(figures), 50.0).unwrap_or(Duration::MAX);
    let time = typical(own);
    goal(format!("the first answer is there within 10 ms: {}", millis(time)), time <= Duration::from_millis(10));
    let peers = all.iter().filter(|(way, _)| [Way::Ecdysis, Way::Shellflip].contains(way));
    if let Some(fastest) = peers.map(|(_, figures)| typical(figures)).min() {
        let (own, peer) = (millis(time), millis(fastest));
        goal(format!("no later than with the fastest of the others: {own}, {peer}"), time <= fastest);
    }
    if let Some((first, last)) = many {
        let is_same = (first.files, first.highest, first.threads) == (last.files, last.highest, last.threads);
        goal("files, their numbers and threads are the same after many upgrades".to_owned(), is_same);
        let (before, now) = (first.memory, last.memory);
        goal(format!("so is memory, within a tenth: {before} kB, {now} kB"), now <= before + before / 10);
    }
}

fn row(what: &str, all: All<'_>, cell: impl Fn(Way, &Figures) -> String) {
    print!("| {what} |");
    all.iter().for_each(|(way, figures)| print!(" {} |", cell(*way, figures)));
    println!();
}

/// Where and how it was measured.
fn circumstances(plan: &Plan) -> String {
    let first_line = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok();
        output.and_then(|output| Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned()))
    };
    let say = |line: Option<String>| line.unwrap_or_else(|| "?".to_owned());
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}; Linux {}; {}; {processors} processors, {}, load {}.\n\
         {RATE} requests a second: half on new connections, half on 50 that are kept, one of a hundred takes 500 ms.\n\
         {} restarts each, in turns. During a restart: from the request for it to {} ms after the first answer of the next\n\
         process. The start-up of {} ms is subtracted from the time until then. Latencies are in ms, from when a request was\n\
         due, without the long ones and the failed ones.",
        say(first_line("date", "-I")),
        say(first_line("uname", "-r")),
        say(first_line("rustc", "--version")),
        policy(),
        say(fs::read_to_string("/proc/loadavg").ok().map(|text| text.split(' ').take(3).collect::<Vec<_>>().join(" "))),
        plan.restarts,
        AFTER.as_millis(),
        START_UP.as_millis(),
    )
}

fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 10.0 { format!("{millis:.2}") } else { format!("{millis:.0}") }
}

fn percentiles(all: &[Duration], of: &[f64]) -> String {
    let all: Vec<_> = of.iter().map(|percent| percentile(all, *percent).map_or("?".to_owned(), millis)).collect();
    all.join(", ")
}

fn latency(all: &[Duration]) -> String {
    percentiles(all, &[50.0, 99.0, 100.0])
}

fn failed_by_kind(figures: &Figures) -> String {
    let count = |kind| figures.failed.iter().filter(|(one, _)| *one == kind).count().to_string();
    [Kind::New, Kind::Kept, Kind::Long].map(count).join(", ")
}

fn ratio(figures: &Figures) -> String {
    let of_all = percentile(&figures.during, 99.0).zip(percentile(&figures.without, 99.0));
    let of_all = of_all.map_or(f64::NAN, |(during, without)| during.as_secs_f64() / without.as_secs_f64());
    format!("{of_all:.2}, {:.2}", median(&figures.ratios).unwrap_or(f64::NAN))
}

/// Without what the program's own start takes.
fn beyond(figures: &Figures) -> Vec<Duration> {
    figures.served_after.iter().map(|time| time.saturating_sub(START_UP)).collect()
}

fn served(figures: &Figures) -> String {
    percentiles(&beyond(figures), &[50.0, 100.0])
}

/// What `sched(7)` calls the policy of this process, which the others have from it.
fn policy() -> &'static str {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let policy = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(38));
    match policy {
        Some("0") => "the usual scheduling",
        Some("1" | "2") => "real-time scheduling",
        _ => "scheduling of another kind",
    }
}

fn files(usage: Usage) -> String {
    format!("{} ({})", usage.files, usage.highest)
}
