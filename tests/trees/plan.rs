//! A tree before it is grown: what each worker in it will do.

use graceful::{OnFailure, OnTimeout};

use crate::log::Deed;
use crate::seed::Chance;

/// The kind of worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `graceful::spawn`.
    Future,
    /// `Worker::new`.
    Made,
    /// An annotated function: two restarts a minute, with hardly a pause.
    Limited,
    /// An annotated function that is restarted after a while.
    Slow,
    /// An annotated function that runs periodically.
    Every,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Spawn(usize),
    Wait(u64),
    /// Does this to some worker or other.
    Do(Deed),
}

/// How a run ends, if nobody interferes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Well,
    Fails,
    Panics,
    WhenTold,
    Never,
}

/// How it learns that it is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ear {
    Future,
    Token,
    /// Not at all.
    Deaf,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // one for each thing that it may do
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) on_failure: Option<OnFailure>,
    pub(crate) children: Option<OnFailure>,
    pub(crate) stop_timeout: Option<u64>,
    pub(crate) on_timeout: Option<OnTimeout>,
    /// In a stage of its own.
    pub(crate) is_late: bool,
    pub(crate) is_watched: bool,
    pub(crate) ear: Ear,
    /// It can be cancelled by its token.
    pub(crate) gives_token: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    /// How long it goes on after it was told.
    pub(crate) lingers: u64,
    /// What it starts after it was told.
    pub(crate) spawns_when_told: Option<usize>,
    pub(crate) fails_when_told: bool,
    /// What its destructor starts.
    pub(crate) spawns_when_dropped: Option<usize>,
    /// From this run on it ends well.
    pub(crate) heals_in: u32,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    pub(crate) roots: Vec<usize>,
    /// After so long, this to one of those that are there.
    pub(crate) deeds: Vec<(u64, Deed)>,
    pub(crate) rest: u64,
    /// The process is stopped in the end; else the roots are.
    pub(crate) stops_all: bool,
}

const MOST: usize = 15;
const DEEPEST: usize = 4;

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let mut plan =
            Self { nodes: Vec::new(), roots: Vec::new(), deeds: Vec::new(), rest: 0, stops_all: chance.in_100(50) };
        for _ in 0..=chance.below(2) {
            let root = plan.node(&mut chance, 1);
            plan.roots.push(root);
        }
        for _ in 0..chance.below(5) {
            let deed = a_deed(&mut chance);
            plan.deeds.push((chance.below(12) * 10, deed));
        }
        plan.rest = chance.below(20) * 10;
        plan
    }

    fn node(&mut self, chance: &mut Chance, depth: usize) -> usize {
        use OnFailure::{Log, Parent, Restart, Stop};
        let index = self.nodes.len();
        let kind = match chance.below(100) {
            0..30 => Kind::Future,
            30..70 => Kind::Made,
            70..82 => Kind::Limited,
            82..92 => Kind::Slow,
            _ => Kind::Every,
        };
        let policies = [Some(Log), Some(Parent), Some(Parent), Some(Restart), Some(Log), None];
        let on_failure = match kind {
            Kind::Future => None,
            Kind::Limited | Kind::Slow => Some(Restart),
            Kind::Every => chance.one_of(&[None, None, Some(Parent), Some(Log)]),
            Kind::Made if chance.in_100(3) => Some(Stop),
            Kind::Made => chance.one_of(&policies),
        };
        let is_plain = kind == Kind::Future;
        let children = chance.one_of(&[Some(Log), Some(Parent), Some(Parent), None]);
        self.nodes.push(Node {
            kind,
            on_failure,
            children: children.filter(|_| !is_plain),
            stop_timeout: (!is_plain && chance.in_100(35)).then(|| 7 + 10 * chance.below(8)),
            on_timeout: chance.one_of(&[None, Some(OnTimeout::Log)]),
            is_late: !is_plain && chance.in_100(5),
            is_watched: chance.in_100(85),
            ear: chance.one_of(&[Ear::Future, Ear::Future, Ear::Future, Ear::Token, Ear::Deaf]),
            gives_token: chance.in_100(25),
            steps: Vec::new(),
            end: chance.one_of(&[
                End::Well,
                End::Well,
                End::Fails,
                End::Panics,
                End::WhenTold,
                End::WhenTold,
                End::Never,
            ]),
            lingers: chance.one_of(&[0, 0, 3, 13, 43]),
            spawns_when_told: None,
            fails_when_told: chance.in_100(15),
            spawns_when_dropped: None,
            heals_in: 2 + u32::try_from(chance.below(4)).unwrap_or(0),
        });
        let mut steps = Vec::new();
        let children = if depth < DEEPEST { chance.below(4) } else { 0 };
        for _ in 0..children {
            if self.nodes.len() >= MOST {
                break;
            }
            if chance.in_100(40) {
                steps.push(Step::Wait(chance.below(6) * 10 + 1));
            }
            let child = self.node(chance, depth + 1);
            match chance.below(100) {
                0..6 => self.nodes[index].spawns_when_told = Some(child),
                6..10 => self.nodes[index].spawns_when_dropped = Some(child),
                _ => steps.push(Step::Spawn(child)),
            }
            if chance.in_100(8) {
                steps.push(Step::Do(a_deed(chance)));
            }
        }
        if chance.in_100(60) {
            steps.push(Step::Wait(chance.below(12) * 10 + 1));
        }
        self.nodes[index].steps = steps;
        index
    }
}

fn a_deed(chance: &mut Chance) -> Deed {
    chance.one_of(&[
        Deed::Stop,
        Deed::Stop,
        Deed::Stop,
        Deed::Abort,
        Deed::Abort,
        Deed::Drop,
        Deed::Cancel,
        Deed::Cancel,
    ])
}
