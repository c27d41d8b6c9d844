//! The smallest program that still breaks the same rule.

use crate::judge::Broken;
use crate::program::{Body, HookEnd, Kind, Outcome, Program, Runtime, Sent, Until, Via, When, Worker};

/// Makes a program simpler.
type Change<'a> = &'a dyn Fn(&mut Program);

/// How often a simpler program is run: one that fails by chance may pass at first.
const TRIES: usize = 2;

/// The most runs in all.
const MOST: usize = 150;

/// `fails` returns the rule that a program breaks, if any.
pub(crate) fn shrink(program: &Program, rule: &str, fails: impl Fn(&Program) -> Option<Broken>) -> Program {
    let mut smallest = program.clone();
    let mut left = MOST;
    'again: loop {
        for simpler in simpler(&smallest) {
            for _ in 0..TRIES {
                if left == 0 {
                    return smallest;
                }
                left -= 1;
                if fails(&simpler).is_some_and(|broken| broken.rule == rule) {
                    smallest = simpler;
                    continue 'again;
                }
            }
        }
        return smallest;
    }
}

/// Programs that differ from this one in one thing that is simpler; the largest change first.
fn simpler(program: &Program) -> Vec<Program> {
    let mut all = Vec::new();
    let mut push = |change: Change<'_>| {
        let mut simpler = program.clone();
        change(&mut simpler);
        if simpler != *program {
            all.push(simpler);
        }
    };
    for worker in &program.workers {
        push(&|program| drop_worker(program, worker.id));
    }
    for index in 0..program.hooks.len() {
        push(&|program| _ = program.hooks.remove(index));
    }
    for index in 0..program.actions.len() {
        push(&|program| _ = program.actions.remove(index));
    }
    for index in 0..program.signals.len() {
        push(&|program| _ = program.signals.remove(index));
    }
    push(&|program| program.drain = 0);
    push(&|program| program.ready = false);
    push(&|program| {
        program.reloads = program.signals.iter().any(|(_, what)| *what == Sent::Hup);
    });
    push(&|program| program.runtime = Runtime::Current);
    push(&|program| program.budget = 500);
    simpler_bodies(&mut push, |program| &mut program.main);
    for index in 0..program.workers.len() {
        let mut change = |change: &dyn Fn(&mut Worker)| {
            push(&|program| change(&mut program.workers[index]));
        };
        change(&|worker| worker.kind = Kind::Async);
        change(&|worker| worker.stage = None);
        change(&|worker| worker.own = None);
        change(&|worker| worker.policy = None);
        change(&|worker| worker.parent = None);
        change(&|worker| worker.bomb = false);
        change(&|worker| worker.when = When::First);
        simpler_bodies(&mut push, |program| &mut program.workers[index].body);
    }
    for index in 0..program.hooks.len() {
        push(&|program| program.hooks[index].end = HookEnd::Good);
        push(&|program| program.hooks[index].takes = 0);
        push(&|program| program.hooks[index].when = When::First);
    }
    all
}

fn simpler_bodies(push: &mut dyn FnMut(Change<'_>), body: impl Fn(&mut Program) -> &mut Body) {
    push(&|program| *body(program) = Body::default());
    push(&|program| body(program).until = Until::Told);
    push(&|program| body(program).via = Via::Stopping);
    push(&|program| body(program).work = 0);
    push(&|program| body(program).block = 0);
    push(&|program| body(program).end = Outcome::Good);
    push(&|program| {
        let body = body(program);
        if body.until == Until::Told {
            body.time = 0;
        }
    });
}

/// Its children are its parent's from then on.
fn drop_worker(program: &mut Program, id: u32) {
    let parent = program.worker(id).and_then(|worker| worker.parent);
    program.workers.retain(|worker| worker.id != id);
    for worker in &mut program.workers {
        if worker.parent == Some(id) {
            worker.parent = parent;
        }
    }
    program.actions.retain(|action| action.to != id);
}
