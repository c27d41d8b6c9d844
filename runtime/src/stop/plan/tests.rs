//! The plan of a stop against a random world: when each thing ends, what never does, how late the plan is called.

use std::cell::{Cell, RefCell};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

use crate::model::budget::{Budget, SETTLING};
use crate::model::hook::HookStage;
use crate::model::stall::Grace;
use crate::model::state::Stage;

/// After how many milliseconds something ends; `None`: never.
type Takes = Option<u64>;

/// What happens, and how long it takes.
#[derive(Clone, Debug)]
struct Case {
    budget: Option<u64>,
    drain: u64,
    /// When the drain is ended from outside, after the stop was asked for.
    drained: Takes,
    before_stop: Vec<Takes>,
    on_stop: Vec<Takes>,
    after_stop: Vec<Takes>,
    /// How long each stage takes once it was told to stop.
    stages: [Takes; 4],
    /// How long each takes once it was aborted.
    aborted: [Takes; 4],
    /// How long results are being dropped once all workers are gone.
    results: u64,
    /// How late the plan is called, each time.
    late: Vec<u64>,
}

fn cases() -> impl Strategy<Value = Case> {
    let takes = || option::weighted(0.8, 0_u64..3000);
    let hooks = || vec(takes(), 0..3);
    (
        option::weighted(0.9, 0_u64..6000),
        prop_oneof![Just(0_u64), 0_u64..3000],
        option::weighted(0.2, 0_u64..3000),
        (hooks(), hooks(), hooks()),
        [takes(), takes(), takes(), takes()],
        [takes(), takes(), takes(), takes()],
        prop_oneof![Just(0_u64), 0_u64..300],
        vec(prop_oneof![4 => Just(0_u64), 1 => 0_u64..40], 1..20),
    )
        .prop_map(
            |(budget, drain, drained, (before_stop, on_stop, after_stop), stages, aborted, results, late)| Case {
                budget,
                drain,
                drained,
                before_stop,
                on_stop,
                after_stop,
                stages,
                aborted,
                results,
                late,
            },
        )
}

/// A world that follows its case.
struct Fake<'a> {
    case: &'a Case,
    asked: Instant,
    now: Cell<Instant>,
    /// When running hooks end, by stage; `None`: never.
    hooks: RefCell<Vec<(HookStage, Option<Instant>)>>,
    ends_left: RefCell<Vec<Takes>>,
    /// When each stage is empty; `None` until it is told to stop.
    empty: RefCell<[Option<Instant>; 4]>,
    /// Since when the stages of the last `close_if_empty` have been empty.
    gone: Cell<Option<Instant>>,
}

impl<'a> Fake<'a> {
    fn new(case: &'a Case) -> Self {
        let asked = Instant::now();
        Self {
            case,
            asked,
            now: Cell::new(asked),
            hooks: RefCell::default(),
            ends_left: RefCell::new(case.after_stop.clone()),
            empty: RefCell::default(),
            gone: Cell::new(None),
        }
    }

    fn after(&self, takes: Takes) -> Option<Instant> {
        takes.map(|ms| self.now.get() + Duration::from_millis(ms))
    }

    fn run(&self, stage: HookStage, takes: &[Takes]) {
        let started = takes.iter().map(|takes| (stage, self.after(*takes)));
        self.hooks.borrow_mut().extend(started);
    }

    fn shorten(&self, stages: &[Stage], takes: &[Takes; 4]) {
        for stage in stages {
            let ends = self.after(takes[stage.index()]);
            let empty = &mut self.empty.borrow_mut()[stage.index()];
            *empty = earliest([*empty, ends]);
        }
    }

    /// When something happens next.
    fn next_event(&self) -> Option<Instant> {
        let drained = self.case.drained.map(|ms| self.asked + Duration::from_millis(ms));
        let settled = self.gone.get().map(|at| at + Duration::from_millis(self.case.results));
        let hooks = self.hooks.borrow();
        let empty = self.empty.borrow();
        let moments = hooks.iter().map(|(_, ends)| *ends).chain(*empty).chain([drained, settled]);
        moments.flatten().filter(|at| *at > self.now.get()).min()
    }

    fn is_empty(&self, stage: Stage) -> bool {
        self.empty.borrow()[stage.index()].is_some_and(|at| at <= self.now.get())
    }
}

impl World for Fake<'_> {
    fn now(&self) -> Instant {
        self.now.get()
    }

    fn put_off(&self, moment: Instant, _: Grace) -> Instant {
        moment
    }

    fn is_drained(&self) -> bool {
        let drained = self.case.drained.map(|ms| self.asked + Duration::from_millis(ms));
        drained.is_some_and(|at| at <= self.now.get())
    }

    fn runs_hooks(&self, stage: HookStage) -> bool {
        let runs = |ends: Option<Instant>| ends.is_none_or(|at| at > self.now.get());
        self.hooks.borrow().iter().any(|(of, ends)| *of == stage && runs(*ends))
    }

    fn after_stop_hooks(&self) -> usize {
        self.ends_left.borrow().len()
    }

    fn close_if_empty(&self, stages: &[Stage]) -> bool {
        let is_empty = stages.iter().all(|stage| self.is_empty(*stage));
        self.gone.set(is_empty.then(|| self.gone.get().unwrap_or(self.now.get())));
        is_empty
    }

    fn is_dropping(&self) -> bool {
        false
    }

    fn is_settled(&self) -> bool {
        let settled = Duration::from_millis(self.case.results);
        self.gone.get().is_some_and(|at| at + settled <= self.now.get())
    }
}

/// Every step of a stop, and when it was done.
fn steps(case: &Case) -> (Budget, Vec<(Instant, Step)>) {
    let world = Fake::new(case);
    let total = case.budget.map_or(Duration::MAX, Duration::from_millis);
    let budget = Budget::new(world.asked, total);
    let mut plan = Plan::new(budget, Duration::from_millis(case.drain));
    let mut done = Vec::new();
    let mut late = case.late.iter().cycle();
    while done.len() < 1000 {
        let step = plan.next(&world);
        done.push((world.now.get(), step));
        match step {
            Step::Drain => {
                world.shorten(&[Stage::Early], &case.stages);
                world.run(HookStage::BeforeStop, &case.before_stop);
            }
            Step::Stop => world.run(HookStage::OnStop, &case.on_stop),
            Step::Tell(stages) => world.shorten(stages, &case.stages),
            Step::GiveUpHooks => world.hooks.borrow_mut().clear(),
            Step::Abort { told, .. } => {
                world.shorten(told, &case.aborted);
                world.hooks.borrow_mut().clear();
            }
            Step::AbortRest(rest) => world.shorten(rest, &case.aborted),
            Step::RunLastHook(_) => {
                let takes = world.ends_left.borrow_mut().pop().expect("one waits");
                world.run(HookStage::AfterStop, &[takes]);
            }
            Step::Wait(deadline) => {
                let Some(next) = earliest([deadline, world.next_event()]) else {
                    break;
                };
                let late = late.next().copied().unwrap_or_default();
                world.now.set(next + Duration::from_millis(late));
            }
            Step::Leave => break,
            Step::SayStillWaiting(_) | Step::Sample | Step::Close => {}
        }
    }
    (budget, done)
}

/// When the first such step was done.
fn when(done: &[(Instant, Step)], is_it: impl Fn(&Step) -> bool) -> Option<Instant> {
    done.iter().find(|(_, step)| is_it(step)).map(|(at, _)| *at)
}

fn count(done: &[(Instant, Step)], is_it: impl Fn(&Step) -> bool) -> usize {
    done.iter().filter(|(_, step)| is_it(step)).count()
}

/// Nothing holds it up.
fn quick() -> Case {
    Case {
        budget: Some(60_000),
        drain: 0,
        drained: None,
        before_stop: Vec::new(),
        on_stop: Vec::new(),
        after_stop: Vec::new(),
        stages: [Some(0); 4],
        aborted: [Some(0); 4],
        results: 0,
        late: vec![0],
    }
}

/// How long after the beginning the stage `Late` is told to stop, when every worker ends at once and results are then
/// dropped for so many milliseconds.
fn settles_in(results: u64) -> Duration {
    let (budget, done) = steps(&Case { results, ..quick() });
    let told = when(&done, |step| matches!(step, Step::Tell([Stage::Late])));
    told.expect("the turn comes") - budget.asked()
}

#[test]
fn the_next_are_told_when_results_are_dropped_or_have_had_their_moment() {
    let little = Duration::from_millis(20);
    assert_eq!(settles_in(0), Duration::ZERO);
    assert_eq!(settles_in(20), little);
    assert_eq!(settles_in(300), SETTLING);
}

/// By which lines, in seconds after the beginning, a stop says that it waits, when a hook of the stage `before_stop` takes so
/// long.
fn lines_of_a_drain(drain: u64, before_stop: Takes) -> Vec<u64> {
    let (budget, done) = steps(&Case { drain, before_stop: vec![before_stop], ..quick() });
    let lines = done.iter().filter(|(_, step)| matches!(step, Step::SayStillWaiting(_)));
    lines.map(|(at, _)| (*at - budget.asked()).as_secs()).collect()
}

#[test]
fn a_drain_says_that_it_waits_when_its_time_is_over() {
    assert_eq!(lines_of_a_drain(0, None), [1, 2, 4, 8, 16], "until half the budget");
    assert_eq!(lines_of_a_drain(5000, Some(7000)), [5], "one line in place of three");
    assert_eq!(lines_of_a_drain(5000, Some(4900)), [0; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_a_budget_it_ends_and_nothing_begins_after_it(case in cases()) {
        let (budget, done) = steps(&case);
        let late = Duration::from_millis(case.late.iter().max().copied().unwrap_or_default());
        match budget.report_at() {
            None => {}
            Some(end) => {
                prop_assert_eq!(&done.last().expect("a step").1, &Step::Leave);
                // Each step can be late; those that depend on it are later still.
                let lates = u32::try_from(done.len()).expect("few steps");
                prop_assert!(done.last().expect("a step").0 <= end + late * lates);
            }
        }
    }

    #[test]
    fn it_never_waits_for_what_has_passed(case in cases()) {
        let (_, done) = steps(&case);
        for (at, step) in &done {
            if let Step::Wait(Some(deadline)) = step {
                prop_assert!(deadline > at, "{:?}", done);
            }
        }
    }

    #[test]
    fn each_thing_is_done_once_and_in_its_order(case in cases()) {
        let (_, done) = steps(&case);
        let place = |step: &Step| match step {
            Step::Drain => Some(0),
            Step::Stop => Some(1),
            Step::Tell([Stage::Early, ..]) => Some(2),
            Step::Tell([Stage::Late]) => Some(3),
            Step::Tell(_) => Some(4),
            Step::Abort { .. } => Some(5),
            Step::AbortRest(_) => Some(6),
            Step::Close => Some(7),
            Step::Leave => Some(8),
            _ => None,
        };
        let places: Vec<_> = done.iter().filter_map(|(_, step)| place(step)).collect();
        prop_assert!(places.windows(2).all(|two| two[0] < two[1]), "{:?}", places);
    }

    #[test]
    fn a_turn_comes_when_those_before_it_have_gone(case in cases()) {
        // A stage that never ends holds up the later turns forever.
        let (_, done) = steps(&case);
        let told = |stage: Stage| when(&done, |step| matches!(step, Step::Tell(stages) if stages.contains(&stage)));
        let takes = |stage: Stage| case.stages[stage.index()].map(Duration::from_millis);
        if let (Some(main), Some(late)) = (told(Stage::Main), told(Stage::Late)) {
            prop_assert!(takes(Stage::Main).is_some_and(|takes| main + takes <= late));
        }
        if let (Some(late), Some(last)) = (told(Stage::Late), told(Stage::Last)) {
            prop_assert!(takes(Stage::Late).is_some_and(|takes| late + takes <= last));
        }
    }

    #[test]
    fn nothing_is_aborted_before_the_time_or_unsampled(case in cases()) {
        let (budget, done) = steps(&case);
        let aborted = when(&done, |step| matches!(step, Step::Abort { .. }));
        if let Some(aborted) = aborted {
            prop_assert!(Some(aborted) >= budget.abort_at());
            let sampled = when(&done, |step| matches!(step, Step::Sample));
            prop_assert!(sampled.is_some_and(|sampled| sampled <= aborted));
        }
        let mut untold = None;
        for (_, step) in &done {
            match step {
                Step::Abort { told, rest } => {
                    prop_assert_eq!([*told, rest].concat(), Stage::ALL);
                    untold = Some(rest);
                }
                Step::AbortRest(rest) => prop_assert_eq!(Some(rest), untold),
                _ => {}
            }
        }
    }

    #[test]
    fn what_ends_in_time_is_not_aborted(case in cases()) {
        let ends = |takes: &[Takes]| takes.iter().copied().collect::<Option<Vec<_>>>();
        let all = [&case.before_stop[..], &case.on_stop, &case.stages].concat();
        let Some(all) = ends(&all) else { return Ok(()) };
        let needed = case.drain + all.iter().sum::<u64>();
        let late = case.late.iter().max().copied().unwrap_or_default() * 100;
        let case = Case { budget: Some(4 * (needed + case.results * 4 + late) + 1000), ..case };
        let (_, done) = steps(&case);
        prop_assert_eq!(count(&done, |step| matches!(step, Step::Abort { .. })), 0);
        prop_assert_eq!(count(&done, |step| matches!(step, Step::Leave)), 1);
    }

    #[test]
    fn the_drain_lasts_as_long_as_asked_but_never_beyond_half_the_budget(case in cases()) {
        let case = Case { late: vec![0], ..case };
        let (budget, done) = steps(&case);
        let Some(stop) = when(&done, |step| matches!(step, Step::Stop)) else {
            prop_assert!(case.budget.is_none() && case.before_stop.contains(&None));
            return Ok(());
        };
        let drain = budget.asked() + Duration::from_millis(case.drain);
        let half = budget.half().unwrap_or(stop.max(drain));
        prop_assert!(stop <= half);
        if case.drained.is_none() {
            prop_assert!(stop >= drain.min(half));
        }
    }

    #[test]
    fn after_stop_hooks_run_one_by_one_while_time_is_left(case in cases()) {
        let case = Case { late: vec![0], ..case };
        let (budget, done) = steps(&case);
        let ran = count(&done, |step| matches!(step, Step::RunLastHook(_)));
        prop_assert!(ran <= case.after_stop.len());
        let left = when(&done, |step| matches!(step, Step::Leave));
        if ran < case.after_stop.len() && left.is_some() {
            prop_assert!(left >= budget.closed_at());
        }
        // If everything ended in time, each hook has its share.
        let closed = when(&done, |step| matches!(step, Step::Close));
        if closed.is_some_and(|closed| budget.closed_at().is_some_and(|at| closed < at)) {
            prop_assert_eq!(ran, case.after_stop.len());
        }
    }

    #[test]
    fn it_names_what_it_waits_for_at_doubling_intervals(case in cases()) {
        let (budget, done) = steps(&case);
        let said: Vec<_> = done
            .iter()
            .filter_map(|(at, step)| match step {
                Step::SayStillWaiting(waited) => Some((*at, *waited)),
                _ => None,
            })
            .collect();
        prop_assert!(said.windows(2).all(|two| two[0].1 * 2 <= two[1].1), "{:?}", said);
        for (at, waited) in said {
            prop_assert!(at >= budget.asked() + waited);
        }
    }
}
