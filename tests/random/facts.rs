//! The facts in a run's lines, by actor: when each began, was told to stop, ended. The model judges these.

use std::time::Duration;

use crate::program::{Body, Hook, Kind, Outcome, Stage, Worker};
use crate::run::{Event, Run, Time};

/// A millisecond.
pub(crate) const MS: Time = 1000;

/// How late an immediate effect may be seen, and how many times the machine's own delay is added.
const SLACK: Time = 40 * MS;
const TIMES_LATE: Time = 5;

/// An event by its place among the lines, and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) place: usize,
    pub(crate) at: Time,
    pub(crate) state: u8,
}

/// One run of a worker, or main's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stretch {
    pub(crate) begun: Option<Mark>,
    pub(crate) told: Option<Mark>,
    /// It had waited long enough, and was not told to stop.
    pub(crate) waited: Option<Mark>,
    pub(crate) ends: Option<(Mark, Outcome)>,
    /// What it held was dropped; a hold was released.
    pub(crate) gone: Option<Mark>,
    pub(crate) bomb: Option<Mark>,
}

/// Main, a worker, a hold or an untracked task.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) name: String,
    /// None is main.
    pub(crate) worker: Option<Worker>,
    pub(crate) body: Body,
    /// Its parent's, where it has none of its own.
    pub(crate) stage: Stage,
    pub(crate) spawned: Option<Mark>,
    pub(crate) runs: Vec<Stretch>,
    /// When it, or one of its ancestors, was first stopped or aborted through its handle or token.
    pub(crate) stopped_alone: Option<Mark>,
    pub(crate) aborted_alone: Option<Mark>,
}

/// A hook, and its tries.
#[derive(Clone, Debug)]
pub(crate) struct Hooked {
    pub(crate) name: String,
    pub(crate) hook: Hook,
    pub(crate) registered: Option<Mark>,
    pub(crate) tries: Vec<Stretch>,
}

pub(crate) struct Facts<'a> {
    pub(crate) run: &'a Run,
    pub(crate) actors: Vec<Actor>,
    pub(crate) hooks: Vec<Hooked>,
    pub(crate) slack: Time,
    /// Code of the program blocks a thread of the runtime for long: others may be late.
    pub(crate) blocks: bool,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(run: &'a Run) -> Self {
        let program = &run.program;
        let mut actors = vec![Actor {
            name: "main".to_owned(),
            worker: None,
            body: program.main,
            stage: Stage::Main,
            spawned: None,
            runs: Vec::new(),
            stopped_alone: None,
            aborted_alone: None,
        }];
        actors.extend(program.workers.iter().map(|worker| Actor {
            name: format!("w{}", worker.id),
            worker: Some(*worker),
            body: worker.body,
            stage: stage_of(run, worker),
            spawned: None,
            runs: Vec::new(),
            stopped_alone: None,
            aborted_alone: None,
        }));
        let hooks = program.hooks.iter().map(|hook| Hooked {
            name: format!("h{}", hook.id),
            hook: *hook,
            registered: None,
            tries: Vec::new(),
        });
        let is_async = |kind| kind != Kind::Blocking;
        let blocks = program.main.block > 0
            || program.workers.iter().any(|one| one.body.block > 0 && is_async(one.kind))
            || run.events.iter().any(|event| event.what == "blocks" && event.who.starts_with('h'));
        let mut facts = Self { run, actors, hooks: hooks.collect(), slack: slack(run), blocks };
        for (place, event) in run.events.iter().enumerate() {
            facts.take(place, event);
        }
        facts
    }

    pub(crate) fn actor(&self, id: Option<u32>) -> Option<&Actor> {
        let id = id?;
        self.actors.iter().find(|actor| actor.worker.is_some_and(|worker| worker.id == id))
    }

    /// The actors with which this one stops, from its parent up.
    pub(crate) fn ancestors(&self, actor: &Actor) -> Vec<&Actor> {
        let mut found = Vec::new();
        let mut child = actor.worker;
        while let Some(worker) = child.filter(|one| one.stage.is_none() && !is_aside(one.kind)) {
            let parent = self.actor(worker.parent);
            found.extend(parent);
            child = parent.and_then(|parent| parent.worker);
        }
        found
    }

    fn take(&mut self, place: usize, event: &Event) {
        let mark = Mark { place, at: event.at, state: event.state };
        if let Some(hook) = self.hooks.iter_mut().find(|hook| hook.name == event.who) {
            match event.what.as_str() {
                "registered" => hook.registered = Some(mark),
                "begun" => hook.tries.push(Stretch { begun: Some(mark), ..Stretch::default() }),
                what => {
                    if let (Some(last), Some(how)) = (hook.tries.last_mut(), outcome(what)) {
                        last.ends = Some((mark, how));
                    }
                }
            }
            return;
        }
        let Some(index) = self.actors.iter().position(|actor| actor.name == event.who) else {
            return;
        };
        match event.what.as_str() {
            "deed stop-worker" | "deed cancel" if self.is_done(place) => {
                self.stop_alone(index, mark);
            }
            "deed abort" if self.is_done(place) => {
                self.actors[index].aborted_alone.get_or_insert(mark);
            }
            _ => self.actors[index].take(mark, &event.what),
        }
    }

    /// Whether the deed that begins here was done: its effects may be seen before its line.
    fn is_done(&self, place: usize) -> bool {
        let events = &self.run.events[place..];
        let who = events.first().map(|event| &event.who);
        let mut after = events.iter().filter(|event| Some(&event.who) == who);
        let after = after.find(|event| event.what.starts_with("done ") || event.what.starts_with("missed "));
        after.is_none_or(|event| event.what.starts_with("done "))
    }

    /// It, and all its descendants.
    fn stop_alone(&mut self, index: usize, mark: Mark) {
        let name = self.actors[index].name.clone();
        for other in 0..self.actors.len() {
            let actor = &self.actors[other];
            let is_meant = other == index || self.ancestors(actor).iter().any(|one| one.name == name);
            if is_meant {
                self.actors[other].stopped_alone.get_or_insert(mark);
            }
        }
    }
}

impl Actor {
    fn take(&mut self, mark: Mark, what: &str) {
        match what {
            "spawned" => self.spawned = Some(mark),
            "begun" => self.runs.push(Stretch { begun: Some(mark), ..Stretch::default() }),
            "told" | "waited" | "dropped" | "released" | "bomb" | "ends ok" | "ends err" | "ends panic" => {
                // Dropped before it ever ran.
                if self.runs.is_empty() {
                    self.runs.push(Stretch::default());
                }
                let is_hold = self.kind() == Kind::Hold;
                let Some(last) = self.runs.last_mut() else {
                    return;
                };
                match what {
                    "told" => last.told = Some(mark),
                    "waited" => last.waited = Some(mark),
                    "dropped" if !is_hold => last.gone = Some(mark),
                    "released" => last.gone = Some(mark),
                    "bomb" => last.bomb = Some(mark),
                    _ => {
                        if let Some(how) = outcome(what) {
                            last.ends = Some((mark, how));
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

/// How late things may be in this run.
fn slack(run: &Run) -> Time {
    let time = |span: Duration| Time::try_from(span.as_micros()).unwrap_or_default();
    SLACK + TIMES_LATE * time(run.late) + time(run.queued)
}

/// A hold and an untracked task have no parent.
fn is_aside(kind: Kind) -> bool {
    matches!(kind, Kind::Hold | Kind::Untracked)
}

/// A hold keeps the stage of the worker that takes it open. An untracked task asks for main's.
fn stage_of(run: &Run, worker: &Worker) -> Stage {
    if worker.kind == Kind::Untracked {
        return Stage::Main;
    }
    worker.stage.unwrap_or_else(|| {
        let parent = worker.parent.and_then(|id| run.program.worker(id));
        parent.map_or(Stage::Main, |parent| stage_of(run, parent))
    })
}

fn outcome(what: &str) -> Option<Outcome> {
    match what.strip_prefix("ends ")? {
        "err" => Some(Outcome::Err),
        "panic" => Some(Outcome::Panic),
        _ => Some(Outcome::Good),
    }
}
