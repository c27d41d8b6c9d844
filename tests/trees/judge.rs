//! The rules, by the log alone.
//!
//! An order is what tells a worker, or what a run of it has started, to stop or to end. Some are certain: what they
//! demand must have happened. The others are possible: they explain what they would have done.

use graceful::OnFailure;

use crate::grow::{BUDGET, Grown};
use crate::log::{Deed, Event, Given, How, What};
use crate::plan::{Ear, Kind, Node, Plan};

/// Timers are as exact as this.
const SLACK: u64 = 2;

struct Run {
    begun: usize,
    gone: Option<(usize, How)>,
    told: Option<usize>,
}

struct Life {
    plan: usize,
    by: Option<(usize, u32)>,
    spawned: usize,
    runs: Vec<Run>,
    resolved: Option<(usize, Given)>,
    is_watched: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    at: u64,
    /// From this event on there is no excuse; else from the next moment on.
    from: Option<usize>,
    of: usize,
    /// What this run has started; else the worker itself as well.
    run: Option<u32>,
    aborts: bool,
    is_certain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failure {
    at: u64,
    of: usize,
    run: u32,
    is_certain: bool,
    /// It came from below.
    is_childs: bool,
}

struct Judge<'a> {
    plan: &'a Plan,
    log: &'a [Event],
    lives: Vec<Life>,
    orders: Vec<Order>,
    failures: Vec<Failure>,
    /// When the process failed.
    fatal: Vec<(u64, bool, usize)>,
    process: Option<u64>,
}

macro_rules! rule {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}

pub(crate) fn judge(plan: &Plan, grown: &Grown) -> Result<(), String> {
    let mut judge = Judge::new(plan, &grown.log);
    judge.deduce();
    judge.ends()?;
    judge.restarts()?;
    judge.obeyed()?;
    judge.explained()?;
    judge.budgets()?;
    judge.failed_by_children()?;
    judge.process(grown)
}

impl<'a> Judge<'a> {
    fn new(plan: &'a Plan, log: &'a [Event]) -> Self {
        let mut lives: Vec<Life> = Vec::new();
        let mut process = None;
        for (number, event) in log.iter().enumerate() {
            let of = event.of;
            match event.what {
                What::Spawned(plan, by) => {
                    let (runs, resolved, is_watched) = (Vec::new(), None, true);
                    lives.push(Life { plan, by, spawned: number, runs, resolved, is_watched });
                }
                What::Begun => lives[of].runs.push(Run { begun: number, gone: None, told: None }),
                What::Told(run) => lives[of].runs[run as usize - 1].told = Some(number),
                What::Gone(run, how) => lives[of].runs[run as usize - 1].gone = Some((number, how)),
                What::Resolved(given) => lives[of].resolved = Some((number, given)),
                What::Done(Deed::Drop) => lives[of].is_watched = false,
                What::Process => process = Some(event.at),
                What::Asked(..) | What::Done(_) | What::StopCalled => {}
            }
        }
        Self { plan, log, lives, orders: Vec::new(), failures: Vec::new(), fatal: Vec::new(), process }
    }

    fn node(&self, of: usize) -> &Node {
        &self.plan.nodes[self.lives[of].plan]
    }

    fn at(&self, number: usize) -> u64 {
        self.log[number].at
    }

    fn last(&self) -> u64 {
        self.log.last().map_or(0, |event| event.at)
    }

    /// The runs by which a worker came to be, from the nearest.
    fn line(&self, of: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        std::iter::successors(self.lives[of].by, |above| self.lives[above.0].by)
    }

    fn is_below(&self, of: usize, above: usize) -> bool {
        self.line(of).any(|run| run.0 == above)
    }

    /// A worker and those below it.
    fn subtree(&self, of: usize) -> impl Iterator<Item = usize> + '_ {
        (of..self.lives.len()).filter(move |&one| one == of || self.is_below(one, of))
    }

    fn is_late(&self, of: usize) -> bool {
        let root = self.line(of).last().map_or(of, |run| run.0);
        self.node(root).is_late
    }

    fn covers(&self, order: &Order, of: usize) -> bool {
        match order.run {
            None => order.of == of || self.is_below(of, order.of),
            Some(run) => self.line(of).any(|above| above == (order.of, run)),
        }
    }

    fn over(&self, of: usize) -> impl Iterator<Item = &Order> + '_ {
        self.orders.iter().filter(move |order| self.covers(order, of))
    }

    /// Whether the process's stop reaches it by this moment.
    fn with_all(&self, at: u64) -> bool {
        self.process.is_some_and(|process| process <= at)
    }

    /// When nothing of what this worker is was left, if so.
    fn gone(&self, of: usize, below: Option<u32>) -> Option<u64> {
        let those = self.subtree(of).filter(|&one| below.is_none_or(|run| self.line(one).any(|by| by == (of, run))));
        let mut last = self.at(self.lives[of].spawned);
        for one in those {
            for run in &self.lives[one].runs {
                last = last.max(self.at(run.gone?.0));
            }
        }
        Some(last)
    }

    /// What a failure of it means.
    fn meaning(&self, of: usize) -> OnFailure {
        let node = self.node(of);
        let default = || self.line(of).find_map(|(above, _)| self.node(above).children);
        match (node.on_failure, node.kind) {
            (Some(own), _) => own,
            (None, Kind::Every) => OnFailure::Log,
            (None, _) => default().unwrap_or(OnFailure::Stop),
        }
    }

    /// Whether it goes on when its body has ended.
    fn pauses(&self, of: usize) -> bool {
        self.node(of).kind == Kind::Every || self.meaning(of) == OnFailure::Restart
    }

    fn deduce(&mut self) {
        for (number, event) in self.log.iter().enumerate() {
            let order = |run, aborts, from| Order { at: event.at, from, of: event.of, run, aborts, is_certain: true };
            match event.what {
                What::Done(Deed::Stop | Deed::Cancel) => self.orders.push(order(None, false, Some(number))),
                What::Done(Deed::Abort) => self.orders.push(order(None, true, None)),
                What::Gone(run, how) if how != How::Well => self.orders.push(order(Some(run), false, Some(number))),
                _ => {}
            }
        }
        for event in self.log {
            if let What::Gone(run, How::Failed | How::Panicked) = event.what {
                let failure = Failure { at: event.at, of: event.of, run, is_certain: true, is_childs: false };
                self.fails(failure);
            }
        }
        loop {
            let before = (self.orders.len(), self.failures.len());
            for of in 0..self.lives.len() {
                self.overruns(of);
            }
            if before == (self.orders.len(), self.failures.len()) {
                break;
            }
        }
    }

    /// Where it may have been cut off by its own budget.
    fn overruns(&mut self, of: usize) {
        let Some(limit) = self.node(of).stop_timeout else { return };
        let spawned = self.at(self.lives[of].spawned);
        let told = self.lives[of].runs.iter().filter_map(|run| run.told).map(|told| self.at(told));
        let mut times: Vec<_> = told.chain(self.over(of).map(|order| order.at.max(spawned))).collect();
        times.extend(self.process.map(|at| at.max(spawned)));
        // What a run has started is told to stop when the run has failed.
        times.extend(self.of_runs(of).map(|order| order.at));
        times.sort_unstable();
        times.dedup();
        for due in times.into_iter().map(|at| at + limit) {
            // What is still there is dropped then.
            let was_there = |run: &Run| run.gone.is_some_and(|gone| self.at(gone.0).abs_diff(due) <= SLACK);
            let was_any_there = self.subtree(of).any(|one| self.lives[one].runs.iter().any(was_there));
            let order = Order { at: due, from: None, of, run: None, aborts: true, is_certain: false };
            if !was_any_there || self.orders.contains(&order) {
                continue;
            }
            self.orders.push(order);
            let run = u32::try_from(self.lives[of].runs.len()).unwrap_or(0);
            if self.node(of).on_timeout.is_none() && run > 0 {
                self.fails(Failure { at: due, of, run, is_certain: false, is_childs: false });
            }
        }
    }

    /// What the ends of its runs mean for what they have started.
    fn of_runs(&self, of: usize) -> impl Iterator<Item = &Order> + '_ {
        self.orders.iter().filter(move |order| order.of == of && order.run.is_some())
    }

    /// A failure, and what becomes of it.
    fn fails(&mut self, mut failure: Failure) {
        let Failure { at, of, run, .. } = failure;
        let is_first = !self.failures.iter().any(|other| (other.of, other.run) == (of, run));
        failure.is_certain &= is_first;
        if self.failures.contains(&failure) {
            return;
        }
        self.failures.push(failure);
        match self.meaning(of) {
            OnFailure::Restart => {
                let is_spent = self.node(of).kind == Kind::Limited && run > 2;
                if is_spent {
                    self.fatal.push((at, failure.is_certain, of));
                }
            }
            OnFailure::Parent => {
                let Some((above, run)) = self.lives[of].by else {
                    self.fatal.push((at, failure.is_certain, of));
                    return;
                };
                let is_aborted = self.over(above).any(|order| order.aborts && order.at <= at);
                let is_certain = failure.is_certain && !is_aborted;
                self.orders.push(Order { at, from: None, of: above, run: Some(run), aborts: false, is_certain });
                self.fails(Failure { at, of: above, run, is_certain, is_childs: true });
            }
            OnFailure::Log => {}
            _ => self.fatal.push((at, failure.is_certain, of)),
        }
    }

    /// A handle resolves when the subtree has ended, then, and with what the last run gave.
    fn ends(&self) -> Result<(), String> {
        for (of, life) in self.lives.iter().enumerate() {
            let gone = self.gone(of, None);
            let pauses = self.subtree(of).any(|one| self.pauses(one));
            let Some((number, given)) = life.resolved else {
                let is_late = gone.is_some_and(|gone| gone + 12_000 * u64::from(pauses) < self.last());
                rule!(!is_late || !life.is_watched || life.runs.is_empty(), "#{of} has ended, and its handle waits");
                continue;
            };
            for one in self.subtree(of) {
                for (run, Run { begun, gone, .. }) in (1..).zip(&self.lives[one].runs) {
                    let is_over = *begun < number && gone.is_some_and(|gone| gone.0 < number);
                    rule!(is_over, "run {run} of #{one} outlives the handle of #{of}");
                }
            }
            let Some(last) = life.runs.last() else {
                rule!(matches!(given, Given::Aborted | Given::Refused), "#{of} never ran");
                continue;
            };
            let at = self.at(number);
            let gone = gone.unwrap_or(0);
            rule!(at <= gone + 12_000 * u64::from(pauses), "#{of} ended at {gone}, its handle resolved at {at}");
            let is_aborted = self.over(of).any(|order| order.aborts && order.at <= at + SLACK);
            let fits = match (last.gone.map(|gone| gone.1), given) {
                (Some(How::Well), Given::Well)
                | (Some(How::Failed), Given::Failed)
                | (Some(How::Panicked), Given::Panicked)
                | (Some(How::Dropped), Given::Aborted | Given::ChildFailed) => true,
                (_, Given::Aborted) => is_aborted,
                _ => false,
            };
            rule!(fits, "#{of} gave {given:?}");
            let by_child = self.failures.iter().any(|failure| failure.of == of && failure.is_childs);
            rule!(given != Given::ChildFailed || by_child, "no child of #{of} has failed");
        }
        Ok(())
    }

    /// A run begins when what the last one started has ended, for a reason, and not once it is told to stop.
    fn restarts(&self) -> Result<(), String> {
        for (of, life) in self.lives.iter().enumerate() {
            for (run, this) in (1..).zip(&life.runs).skip(1) {
                let at = self.at(this.begun);
                let before = &life.runs[run as usize - 2];
                rule!(before.gone.is_some_and(|gone| gone.0 < this.begun), "two runs of #{of} at once");
                for one in self.subtree(of).filter(|&one| one != of) {
                    let is_older = self.line(one).any(|by| by.0 == of && by.1 < run);
                    for other in self.lives[one].runs.iter().filter(|_| is_older) {
                        let is_over = other.begun < this.begun && other.gone.is_some_and(|gone| gone.0 < this.begun);
                        rule!(is_over, "#{one} lives on in run {run} of #{of}");
                    }
                }
                let has_failed = self.failures.iter().any(|failure| (failure.of, failure.run) == (of, run - 1));
                let is_due = self.node(of).kind == Kind::Every || self.meaning(of) == OnFailure::Restart && has_failed;
                rule!(is_due, "run {run} of #{of} has no reason");
                let is_told = self.over(of).any(|order| order.is_certain && order.at < at);
                rule!(!is_told, "run {run} of #{of} begins after it was told to stop");
            }
            for failure in self.failures.iter().filter(|failure| failure.of == of && failure.is_certain) {
                let pause = match self.node(of).kind {
                    Kind::Limited if failure.run > 2 => continue,
                    Kind::Limited => 1,
                    Kind::Slow => 40,
                    _ => 10_000,
                };
                let Some(gone) = self.gone(of, Some(failure.run)) else { continue };
                let due = gone.max(failure.at) + pause + SLACK;
                let is_told = self.over(of).any(|order| order.at <= due) || self.with_all(due);
                if self.meaning(of) == OnFailure::Restart && !is_told && due < self.last() {
                    let next = life.runs.get(failure.run as usize);
                    rule!(next.is_some_and(|next| self.at(next.begun) <= due), "#{of} is not restarted");
                }
            }
        }
        Ok(())
    }

    /// What an order covers is told, and ends where it is an abort.
    fn obeyed(&self) -> Result<(), String> {
        for order in self.orders.iter().filter(|order| order.is_certain) {
            for of in (0..self.lives.len()).filter(|&of| self.covers(order, of)) {
                for (run, this) in (1..).zip(&self.lives[of].runs) {
                    let was_there = self.at(this.begun) <= order.at
                        && this.gone.is_none_or(|gone| order.from.is_none_or(|from| gone.0 > from));
                    let gone = this.gone.map_or(u64::MAX, |gone| self.at(gone.0));
                    let told = this.told.map_or(u64::MAX, |told| self.at(told));
                    if order.aborts {
                        let is_over = gone <= order.at || gone < self.at(this.begun).max(order.at);
                        rule!(is_over, "run {run} of #{of} goes on after {order:?}");
                    } else if was_there && self.node(of).ear != Ear::Deaf {
                        rule!(gone.min(told) <= order.at, "run {run} of #{of} was not told by {order:?}");
                    }
                }
            }
        }
        for (number, event) in self.log.iter().enumerate() {
            let of = event.of;
            if let What::Asked(run, false) = event.what {
                let mut orders = self.over(of).filter(|order| order.is_certain);
                let order = orders.find(|order| order.from.map_or(order.at < event.at, |from| from < number));
                rule!(order.is_none(), "[{number}] run {run} of #{of} is not stopping after {order:?}");
            }
            if let What::Done(Deed::Abort) = event.what {
                let is_late = self.lives[of].runs.iter().any(|run| run.begun > number);
                rule!(!is_late, "#{of} runs after it was aborted");
            }
        }
        Ok(())
    }

    /// Nobody is told to stop, or dropped, without a reason.
    fn explained(&self) -> Result<(), String> {
        for (number, event) in self.log.iter().enumerate() {
            let (at, of) = (event.at, event.of);
            match event.what {
                What::Told(_) | What::Asked(_, true) => {
                    let has_reason = self.with_all(at) || self.over(of).any(|order| order.at <= at + SLACK);
                    rule!(has_reason, "[{number}] #{of} is told to stop without a reason");
                }
                What::Gone(run, How::Dropped) => {
                    let is_aborted = self.over(of).any(|order| order.aborts && order.at <= at + SLACK);
                    let by_child = |failure: &Failure| (failure.of, failure.run, failure.is_childs) == (of, run, true);
                    let has_failed = self.failures.iter().any(|failure| by_child(failure) && failure.at <= at + SLACK);
                    let is_cut = self.process.is_some_and(|process| process + BUDGET * 3 / 4 <= at);
                    rule!(is_aborted || has_failed || is_cut, "[{number}] #{of} is dropped without a reason");
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The subtree of a worker with a budget is gone when it is over.
    fn budgets(&self) -> Result<(), String> {
        for (of, life) in self.lives.iter().enumerate() {
            let Some(limit) = self.node(of).stop_timeout else { continue };
            let spawned = self.at(life.spawned);
            let told = life.runs.iter().filter_map(|run| run.told).map(|told| self.at(told));
            let ordered = self.over(of).filter(|order| order.is_certain).map(|order| order.at.max(spawned));
            let process = self.process.filter(|_| !self.is_late(of)).map(|at| at.max(spawned));
            for order in self.of_runs(of).filter(|order| order.is_certain) {
                let run = order.run.unwrap_or_default();
                let end = self.gone(of, Some(run)).unwrap_or(u64::MAX);
                let due = order.at + limit + SLACK;
                rule!(end <= due, "what run {run} of #{of} has started outlives its budget, from {} on", order.at);
            }
            let Some(told) = told.chain(ordered).chain(process).min() else { continue };
            let due = told + limit + SLACK;
            for one in self.subtree(of) {
                for run in &self.lives[one].runs {
                    let end = run.gone.map_or(u64::MAX, |gone| self.at(gone.0));
                    rule!(end <= due, "#{one} outlives the budget of #{of}, told at {told} to end in {limit}");
                }
            }
        }
        Ok(())
    }

    /// A body whose child has failed for it is dropped.
    fn failed_by_children(&self) -> Result<(), String> {
        for failure in self.failures.iter().filter(|failure| failure.is_certain && failure.is_childs) {
            let run = &self.lives[failure.of].runs[failure.run as usize - 1];
            let end = run.gone.map_or(u64::MAX, |gone| self.at(gone.0));
            rule!(end <= failure.at, "run {} of #{} goes on after {failure:?}", failure.run, failure.of);
        }
        Ok(())
    }

    /// The process stops by a failure where one was fatal, and nobody is left in the end.
    fn process(&self, grown: &Grown) -> Result<(), String> {
        let end = &grown.end;
        let called = self.log.iter().find(|event| matches!(event.what, What::StopCalled)).map(|event| event.at);
        let until = called.unwrap_or(u64::MAX);
        // Told to stop, perhaps by an order that was deduced later, it would not have run again: that is logged.
        let would_rest = |at, of| {
            let is_told = self.over(of).any(|order| order.at <= at) || self.with_all(at);
            is_told && self.meaning(of) == OnFailure::Restart
        };
        let is_certain = |fatal: &&(u64, bool, usize)| fatal.1 && fatal.0 < until && !would_rest(fatal.0, fatal.2);
        let first = self.fatal.iter().filter(is_certain).min();
        if let Some((at, _, of)) = first {
            rule!(self.process.is_some_and(|process| process <= *at), "#{of} is fatal at {at}, and nothing stops");
        }
        if called.is_none()
            && let Some(process) = self.process
        {
            let is_fatal = self.fatal.iter().any(|fatal| fatal.0.abs_diff(process) <= SLACK);
            let is_over = end.has_looked && !end.has_failed;
            rule!(is_fatal || is_over, "the process stops at {process} without a reason");
        }
        if end.has_looked {
            rule!(end.is_idle, "it is not idle");
            rule!(end.live.is_empty(), "alive in the end: {:?}", end.live);
            rule!(!end.has_failed || !self.fatal.is_empty(), "the process failed without a reason");
            rule!(end.has_failed || first.is_none(), "the process has not failed");
        }
        let is_clean = end.has_looked && self.process.is_none_or(|_| called.is_none()) && self.fatal.is_empty();
        rule!(!is_clean || !grown.test_failed, "the verdict is a failure");
        let is_unseen = |of: &usize| !self.lives[*of].is_watched;
        let unseen = first.filter(|(_, _, of)| is_unseen(of));
        rule!(unseen.is_none() || grown.test_failed, "the verdict is none");
        Ok(())
    }
}
