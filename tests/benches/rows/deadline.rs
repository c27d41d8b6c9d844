//! How long after its deadline of a second a program that is held up is gone.

use std::thread;
use std::time::Duration;

use graceful_benches::DEADLINE;

use crate::contenders::{self, Contender, GRACEFUL};
use crate::options::Options;
use crate::program::{End, Program};
use crate::table::{Limit, Results, Table, Unit};

/// After this time it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(10);

const MILLISECONDS: Unit = Unit { name: "ms", digits: 0 };

/// How it is held up, and the task of the contenders.
const WAYS: [(&str, &str); 3] = [
    ("a worker that ignores the stop", "ignoring"),
    ("a worker that blocks the runtime's only thread", "blocking"),
    ("an endless spawn_blocking", "endless"),
];

pub(crate) fn overshoot(options: &Options, table: &mut Table) -> Result<(), String> {
    for (way, task) in WAYS {
        let mut ours = contenders::named(&[GRACEFUL]).into_iter();
        let ours = ours.next().ok_or("this crate is no contender")?;
        let mut results: Results = vec![(GRACEFUL, [].into_iter().collect())];
        let mut wrong = None;
        for _ in 0..options.runs(5) {
            let (overshoot, end) = hold_up(ours, task)?;
            results[0].1.add(overshoot);
            wrong = wrong.or(complaint(end.as_ref()));
        }
        // They only wait: all at the same time disturb each other little, and the row does not take minutes.
        let peers = contenders::all().into_iter().skip(1);
        let measured: Vec<_> = thread::scope(|scope| {
            let started: Vec<_> = peers.map(|peer| (peer.name, scope.spawn(move || hold_up(peer, task)))).collect();
            let join = |(name, thread): (_, thread::ScopedJoinHandle<'_, _>)| {
                (name, thread.join().expect("nothing panics in it"))
            };
            started.into_iter().map(join).collect()
        });
        for (name, measured) in measured {
            let (overshoot, _) = measured.map_err(|why: String| format!("{name}: {why}"))?;
            results.push((name, [overshoot].into_iter().collect()));
        }
        let figure = format!("overshoot of a 1 s deadline: {way}");
        let remark = match &wrong {
            Some(wrong) => Err(&**wrong),
            None => Ok("code 124, named"),
        };
        table.add_with(&figure, MILLISECONDS, Limit::AtMost(50.0), &results, remark);
    }
    Ok(())
}

/// By how many milliseconds it overran its deadline; infinity where it hangs.
fn hold_up(contender: Contender, task: &str) -> Result<(f64, Option<End>), String> {
    let mut program = Program::start_heard(contender, task, 1);
    program.line()?;
    let told = program.terminate();
    let end = program.gone_within(DEADLINE + PATIENCE);
    let overshoot = match &end {
        Some(end) => (end.after(told).as_secs_f64() - DEADLINE.as_secs_f64()) * 1e3,
        None => f64::INFINITY,
    };
    Ok((overshoot, end))
}

/// The defect of an end at the deadline, if it has one.
fn complaint(end: Option<&End>) -> Option<String> {
    let Some(end) = end else {
        return Some("hangs".to_owned());
    };
    if end.status.code() != Some(124) {
        return Some(end.status.to_string());
    }
    let is_named = end.said.contains("held up");
    (!is_named).then(|| "code 124, but the worker is not named".to_owned())
}
