//! The whole measurement: the services take turns under load, and each is restarted once in its turn.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl;

use crate::client::Connection;
use crate::figures::{Figures, Turn};
use crate::load::Load;
use crate::table;
use crate::usage::Usage;
use crate::way::{Service, Way};

/// What is measured.
pub struct Plan {
    pub ways: Vec<Way>,
    /// How often each is restarted under load.
    pub restarts: usize,
    /// How often this crate is upgraded without load; 0 if it is not.
    pub many: usize,
}

/// The first requests of a turn are not counted: connections are opened, caches are cold.
const WARM_UP: Duration = Duration::from_millis(500);

/// How long the load goes on before the restart.
pub const BEFORE: Duration = Duration::from_millis(1500);

/// How long after the first answer of the next process a latency is one during the restart.
pub const AFTER: Duration = Duration::from_millis(500);

/// How long the load goes on after that answer: an old process may stop a while later.
const LONGER: Duration = Duration::from_millis(1200);

/// How long it may take until that one.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many requests a process has answered before its memory counts.
const REQUESTS: usize = 1000;

/// After this long without work, threads that tokio keeps for blocking work have ended.
const AT_REST: Duration = Duration::from_secs(11);

pub fn run(plan: &Plan) -> io::Result<()> {
    // The next process is a child of the one before it: when that one ends, it becomes a child of this one.
    prctl::set_child_subreaper(true)?;
    // Whether one gets huge pages is a matter of where its stacks happen to be.
    prctl::set_thp_disable(true)?;
    keep_to_itself()?;
    let mut services = Vec::new();
    for way in &plan.ways {
        services.push((Service::start(*way)?, Figures::default()));
    }
    for round in 0..plan.restarts {
        eprintln!("restart {} of {} each", round + 1, plan.restarts);
        // Another one begins each time.
        let first = round % services.len();
        services.rotate_left(first);
        for (service, figures) in &mut services {
            if round == 1 {
                figures.after_first = service.usage();
            }
            let turn = turn(service).map_err(|why| told(service, &why))?;
            figures.add(&turn);
        }
        services.rotate_right(first);
    }
    eprintln!("at rest");
    sleep(AT_REST);
    for (service, figures) in &mut services {
        figures.after_last = service.usage();
    }
    let figures: Vec<_> = services.into_iter().map(|(service, figures)| (service.way, figures)).collect();
    let many = if plan.many > 0 && plan.ways.contains(&Way::Graceful) { Some(many(plan.many)?) } else { None };
    table::print(plan, &figures, many);
    Ok(())
}

/// Whatever this program was started with stays out of the services: some hand it on and on.
fn keep_to_itself() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: it is open, or was a moment ago; it is used for this call alone, which refuses it otherwise.
            let file = unsafe { BorrowedFd::borrow_raw(number) };
            let _ = fcntl(file, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
        }
    }
    Ok(())
}

fn told(service: &Service, why: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {why}; what it has said is in {}", service.way.title(), service.log.display()))
}

/// One restart under load.
fn turn(service: &mut Service) -> io::Result<Turn> {
    let mut load = Load::start(service.address);
    let old = service.process;
    let begin = Instant::now() + WARM_UP;
    sleep(WARM_UP + BEFORE);
    let asked = service.restart()?;
    let next = load.find(asked + PATIENCE, |sample| matches!(sample.outcome, Ok(process) if process != old));
    let Some(next) = next else {
        return Err(io::Error::other("the next process has answered nobody"));
    };
    service.is_succeeded_by(next.outcome.expect("it is an answer"));
    sleep((next.ended + LONGER).saturating_duration_since(Instant::now()));
    let samples = load.end();
    service.has_settled().ok_or_else(|| io::Error::other("the old process does not end"))?;
    Ok(Turn { samples, begin, asked, served: next.ended })
}

/// Many upgrades of this crate, one after the other: what the process has after the first, and after the last.
fn many(upgrades: usize) -> io::Result<(Usage, Usage)> {
    let mut service = Service::start(Way::Graceful)?;
    let mut first = None;
    for number in 1..=upgrades {
        if number % 50 == 0 {
            eprintln!("upgrade {number} of {upgrades}");
        }
        let old = answering(&service, 0)?;
        service.restart()?;
        let next = answering(&service, old)?;
        service.is_succeeded_by(next);
        service.has_settled().ok_or_else(|| told(&service, &io::Error::other("the old process does not end")))?;
        if number == 1 || number == upgrades {
            // Both have done the same work when they are looked at, one request after the other: how much memory several
            // at once leave behind depends on how many they were.
            for _ in 0..REQUESTS {
                answering(&service, 0)?;
            }
            sleep(AT_REST);
        }
        if number == 1 {
            first = service.usage();
        }
    }
    first.zip(service.usage()).ok_or_else(|| told(&service, &io::Error::other("it does not run")))
}

/// The process that answers, as soon as it is another one than `old`.
#[tokio::main(flavor = "current_thread")]
async fn answering(service: &Service, old: i32) -> io::Result<i32> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Ok(mut connection) = Connection::open(service.address).await
            && let Ok(answer) = connection.ask("/", false).await
            && answer.process != old
        {
            return Ok(answer.process);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Err(told(service, &io::Error::other("the next process has answered nobody")))
}
