//! A program from a seed. Most of its parts stop as they should: two that do not would hide the fate of the others.

use crate::program::{
    Action, Body, Deed, Hook, HookEnd, Kind, Moment, Outcome, Policy, Program, Runtime, Sent, Stage, Until, Via, When,
    Worker,
};
use crate::seed::Chance;

/// How deep workers that spawn workers go.
const DEPTH: usize = 3;

/// Longer than any budget.
const LONG: u64 = 1500;

/// How much of a program misbehaves.
#[derive(Clone, Copy)]
struct Mood {
    /// Of a hundred bodies that end, how many fail.
    fails: u64,
    /// How many of a hundred are stuck.
    sticks: u64,
    /// How many of a hundred block a thread of the runtime.
    blocks: u64,
}

const MOODS: &[Mood] = &[
    Mood { fails: 0, sticks: 0, blocks: 0 },
    Mood { fails: 0, sticks: 0, blocks: 0 },
    Mood { fails: 15, sticks: 0, blocks: 0 },
    Mood { fails: 30, sticks: 0, blocks: 0 },
    Mood { fails: 5, sticks: 15, blocks: 0 },
    Mood { fails: 20, sticks: 15, blocks: 0 },
    Mood { fails: 10, sticks: 5, blocks: 12 },
];

pub(crate) fn program(seed: u64) -> Program {
    let mut chance = Chance::of(seed);
    let chance = &mut chance;
    let mood = chance.one_of(MOODS);
    let budget = chance.one_of(&[300, 300, 400, 500, 500, 700, 1000]);
    let mut program = Program {
        runtime: chance.one_of(Runtime::ALL),
        budget,
        drain: if chance.in_100(35) { chance.one_of(&[20, 50, 100, budget - 50]) } else { 0 },
        ready: chance.in_100(50),
        reloads: chance.in_100(15),
        main: main(chance, mood),
        ..Program::default()
    };
    for id in 1..=u32::try_from(chance.below(8)).expect("it is small") {
        let worker = worker(chance, &program, mood, id);
        program.workers.push(worker);
    }
    for id in 1..=u32::try_from(chance.below(5)).expect("it is small") {
        program.hooks.push(hook(chance, mood, id));
    }
    for _ in 0..chance.below(4) {
        program.actions.extend(action(chance, &program));
    }
    signals(chance, &mut program);
    program
}

fn main(chance: &mut Chance, mood: Mood) -> Body {
    let mut body = body(chance, mood);
    if chance.in_100(60) {
        body.until = Until::Told;
    }
    body
}

fn body(chance: &mut Chance, mood: Mood) -> Body {
    let fails = chance.in_100(mood.fails);
    Body {
        until: if chance.in_100(mood.sticks) {
            Until::Never
        } else {
            chance.one_of(&[Until::Told, Until::Told, Until::Told, Until::For, Until::Either])
        },
        time: chance.below(250),
        via: chance.one_of(Via::ALL),
        work: if chance.in_100(40) { chance.below(80) } else { 0 },
        block: if chance.in_100(mood.blocks) { chance.one_of(&[60, LONG]) } else { 0 },
        end: if fails { chance.one_of(&[Outcome::Err, Outcome::Panic]) } else { Outcome::Good },
    }
}

fn worker(chance: &mut Chance, program: &Program, mood: Mood, id: u32) -> Worker {
    let is_parent = |worker: &&Worker| {
        let repeats = matches!(worker.kind, Kind::Every | Kind::Restarts) || worker.policy == Some(Policy::Restart);
        let is_aside = matches!(worker.kind, Kind::Hold | Kind::Untracked);
        !repeats && !is_aside && depth(program, worker) < DEPTH
    };
    let parents: Vec<_> = program.workers.iter().filter(is_parent).map(|worker| worker.id).collect();
    let kind = if chance.in_100(55) { Kind::Async } else { chance.one_of(Kind::ALL) };
    let is_worker = !matches!(kind, Kind::Hold | Kind::Untracked);
    let mut worker = Worker {
        parent: (!parents.is_empty() && chance.in_100(50)).then(|| chance.one_of(&parents)),
        kind,
        when: if chance.in_100(20) { When::Then } else { When::First },
        stage: (is_worker && chance.in_100(35)).then(|| chance.one_of(Stage::ALL)),
        own: (is_worker && chance.in_100(12)).then(|| chance.one_of(&[20, 60, 150])),
        policy: (is_worker && chance.in_100(20)).then(|| chance.one_of(Policy::ALL)),
        bomb: chance.in_100(mood.fails / 4),
        body: body(chance, mood),
        ..Worker::new(id)
    };
    // Combinations that the attribute does not allow.
    if worker.policy == Some(Policy::Restart) && !matches!(kind, Kind::Async | Kind::Blocking | Kind::Restarts) {
        worker.policy = None;
    }
    if worker.own.is_some() && chance.in_100(40) {
        worker.body.work = 200;
    }
    if kind == Kind::Every {
        worker.body.time = 1 + worker.body.time / 10;
        worker.body.until = chance.one_of(&[Until::For, Until::Either]);
    }
    if kind == Kind::Restarts && worker.body.until == Until::Told && chance.in_100(50) {
        worker.body.until = Until::For;
        worker.body.time /= 4;
    }
    worker
}

fn depth(program: &Program, worker: &Worker) -> usize {
    let parent = worker.parent.and_then(|id| program.worker(id));
    1 + parent.map_or(0, |parent| depth(program, parent))
}

fn hook(chance: &mut Chance, mood: Mood, id: u32) -> Hook {
    let end = if chance.in_100(mood.sticks) {
        HookEnd::Hang
    } else if chance.in_100(mood.fails) {
        chance.one_of(&[HookEnd::Err, HookEnd::Panic])
    } else if chance.in_100(mood.blocks) {
        HookEnd::Block
    } else {
        HookEnd::Good
    };
    Hook {
        id,
        moment: chance.one_of(Moment::ALL),
        when: if chance.in_100(20) { When::Then } else { When::First },
        takes: if chance.in_100(50) { 0 } else { chance.below(60) },
        end,
    }
}

fn action(chance: &mut Chance, program: &Program) -> Option<Action> {
    let is_worker = |worker: &&Worker| !matches!(worker.kind, Kind::Hold | Kind::Untracked);
    let workers: Vec<_> = program.workers.iter().filter(is_worker).map(|worker| worker.id).collect();
    let parents: Vec<_> = program.workers.iter().filter_map(|worker| worker.parent).collect();
    let deed = chance.one_of(Deed::ALL);
    let to = match deed {
        Deed::Stop if chance.in_100(50) => 0,
        Deed::Stop => return None,
        _ if workers.is_empty() => return None,
        _ if !parents.is_empty() && chance.in_100(50) => chance.one_of(&parents),
        _ => chance.one_of(&workers),
    };
    Some(Action { at: chance.below(250), deed, to })
}

fn signals(chance: &mut Chance, program: &mut Program) {
    let at = chance.below(250);
    let more = 1 + chance.below(300);
    let scene: &[(u64, Sent)] = match chance.below(10) {
        0..=2 => &[(at, Sent::Term)],
        3 | 4 => &[(at, Sent::Int)],
        5 => &[(at, Sent::Int), (at + more, Sent::Int)],
        6 => &[(at, Sent::Term), (at + more, Sent::Term)],
        7 => &[(at, Sent::Term), (at + more, Sent::Int), (at + more + 150, Sent::Int)],
        8 => &[(at, Sent::Term), (at + more, Sent::Int)],
        _ => &[],
    };
    program.signals = scene.to_vec();
    if program.reloads {
        program.signals.push((chance.below(300), Sent::Hup));
    }
}
