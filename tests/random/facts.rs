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
    /// When it was first told to stop apart from its stage: it, or one of its ancestors, was stopped through its handle or
    /// token, or one of its ancestors failed or was aborted.
    pub(crate) stopped_alone: Option<Mark>,
    /// When it, or one of its ancestors, was first aborted through its handle.
    pub(crate) aborted_alone: Option<Mark>,
    /// It, or one of its ancestors, has a budget of its own.
    pub(crate) is_bounded: bool,
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
            is_bounded: false,
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
            is_bounded: false,
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
        for index in 0..facts.actors.len() {
            if facts.actors[index].own().is_some() {
                facts.reach(index, true, |actor| actor.is_bounded = true);
            }
        }
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

    /// It and what it has started, and so on.
    pub(crate) fn part_of<'b>(&'b self, actor: &'b Actor) -> impl Iterator<Item = &'b Actor> {
        self.actors.iter().filter(|one| one.name == actor.name || self.is_below(one, actor))
    }

    pub(crate) fn is_below(&self, actor: &Actor, other: &Actor) -> bool {
        self.ancestors(actor).iter().any(|one| one.name == other.name)
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
                self.reach(index, true, |actor| _ = actor.stopped_alone.get_or_insert(mark));
            }
            "deed abort" if self.is_done(place) => {
                self.reach(index, true, |actor| _ = actor.aborted_alone.get_or_insert(mark));
                self.reach(index, false, |actor| _ = actor.stopped_alone.get_or_insert(mark));
            }
            what => {
                if matches!(what, "ends err" | "ends panic" | "bomb") {
                    self.reach(index, false, |actor| _ = actor.stopped_alone.get_or_insert(mark));
                }
                self.actors[index].take(mark, what);
            }
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

    /// All its descendants, and perhaps itself.
    fn reach(&mut self, index: usize, itself: bool, mut act: impl FnMut(&mut Actor)) {
        for other in 0..self.actors.len() {
            let is_below = self.is_below(&self.actors[other], &self.actors[index]);
            if is_below || itself && other == index {
                act(&mut self.actors[other]);
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
