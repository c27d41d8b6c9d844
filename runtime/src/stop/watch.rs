//! The watch: a thread that nothing of the user's can block.
//!
//! It hears the signals, holds the deadline, honours the second interrupt and, as a last resort, ends the
//! process. It never runs, wakes or drops anything of the user's (main's waker is the runtime's), never writes to
//! standard error, and waits for nobody who does, beyond a bounded moment.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::life::lifecycle::Lifecycle;
use crate::life::poll_record::Sample;
use crate::life::teardown::MainsThread;
use crate::model::budget::{
    Budget, LAST_LINES, LAST_LINES_AT_LEAST, LEAVING, LOOKING, OVERLOADED, PROBING, TEST_GRACE, WRITING,
};
use crate::model::escalation::{Escalation, Meaning, Stop};
use crate::model::failure;
use crate::model::settings::NO_LIMIT;
use crate::model::stall::Grace;
use crate::model::state::State;
use crate::os::signal::Inbox;
use crate::os::signal::Signal;
use crate::os::{sys, threads};
use crate::report::{awaits, publish, status};
use crate::say::lines;
use crate::say::refusals;
use crate::stop::driver::Driver;

/// So often in a row the system grants no thread where it grants none.
const REFUSALS: u32 = 3;

/// What other people's crates have done by the watch. None of it blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Others {
    /// Once a second, and when the state has changed.
    pub(crate) record: fn(&Arc<Lifecycle>),
    /// Before the process is ended.
    pub(crate) kill_children: fn(),
}

/// Starts the watch.
pub(crate) fn start(
    life: &Arc<Lifecycle>,
    inbox: Inbox,
    driver: &Driver,
    others: Others,
    prepare: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let mut watch = Watch {
        life: Arc::clone(life),
        inbox,
        deadline: None,
        escalation: Escalation::default(),
        look: None,
        reported: None,
        has_insisted: false,
        probe_at: Some(Instant::now() + PROBING),
        refusals: 0,
        driver: driver.clone(),
        conduct_at: None,
        others,
        recorded: None,
    };
    let run = move || {
        prepare();
        watch.run();
    };
    threads::start("graceful-watch", Box::new(run)).map(drop)
}

struct Watch {
    life: Arc<Lifecycle>,
    inbox: Inbox,
    /// Set when the stop began.
    deadline: Option<Budget>,
    escalation: Escalation,
    /// In a test, who was inside a poll some time ago.
    look: Option<Sample>,
    /// When it gave the report to be written.
    reported: Option<Instant>,
    /// It has asked for a second thread, should the first one not have written the report.
    has_insisted: bool,
    /// When to see whether the system grants a thread, until the runtime is built.
    probe_at: Option<Instant>,
    /// How often in a row it did not.
    refusals: u32,
    driver: Driver,
    /// When the stop goes on without anybody's waking it.
    conduct_at: Option<Instant>,
    others: Others,
    /// The state that was recorded.
    recorded: Option<State>,
}

impl Watch {
    fn run(&mut self) {
        // A thread's first allocation takes longer than all that it does when the stop begins.
        drop(std::hint::black_box(Box::new(0_u8)));
        while !self.life.teardown.is_over() {
            let tick = self.life.time.clock.next();
            let next = [self.next(), self.conduct_at, self.probe_at];
            let next = next.into_iter().flatten();
            let next = next.fold(tick, Instant::min);
            let now = Instant::now();
            self.inbox.wait(Some(next.saturating_duration_since(now)));
            if now < next && self.deadline.is_some() {
                self.life.woke(next.into());
            }
            let has_beaten = self.life.time.clock.count();
            if has_beaten {
                self.look_around();
            }
            let state = self.life.phase.state();
            if has_beaten || self.recorded.replace(state) != Some(state) {
                (self.others.record)(&self.life);
            }
            let came: Vec<_> = self.inbox.take().collect();
            for signal in came {
                self.hear(signal);
            }
            self.hold_deadline();
            if !self.life.settings.is_test {
                self.conduct_at = self.driver.advance(&self.life).map(Into::into);
            }
            self.see_it_built();
        }
    }

    /// Ends the process where the runtime is not built, and cannot be: tokio has got some of its threads, and the system
    /// grants no other. It has panicked then, and waits for those it has, for ever.
    fn see_it_built(&mut self) {
        if !self.life.runtime.is_building() {
            self.probe_at = None;
        }
        let now = Instant::now();
        if self.probe_at.is_none_or(|at| now < at) {
            return;
        }
        self.probe_at = Some(now + PROBING);
        let Err(why) = threads::start("graceful-probe", Box::new(|| ())) else {
            self.refusals = 0;
            return;
        };
        self.refusals += 1;
        if self.refusals < REFUSALS {
            return;
        }
        self.life.writer.say_report(refusals::no_runtime_to_come_back_from(&why));
        self.life.writer.finish(LAST_LINES);
        sys::exit_now(failure::MISCONFIGURED)
    }

    /// When there is something to do without being asked.
    fn next(&self) -> Option<Instant> {
        let deadline = self.deadline?;
        let report_at = deadline.report_at().filter(|_| !self.life.diagnostics.is_reported());
        let moment = report_at.or(deadline.end());
        let now = Instant::now();
        // What puts it off can be over before that.
        let due = match moment?.into_std() {
            moment if now < moment => Some(moment),
            _ => self.at(moment).map(|at| at.min(now + LOOKING)),
        };
        due.into_iter().chain(self.insist_at()).min()
    }

    /// When whoever writes has had the time for the report.
    fn insist_at(&self) -> Option<Instant> {
        let reported = self.reported.filter(|_| !self.has_insisted)?;
        Some(reported + WRITING)
    }

    /// A moment of the budget, put off so far that what ends by itself at the last moment can leave, and what was due
    /// while the process stood still can end.
    fn at(&self, moment: Option<tokio::time::Instant>) -> Option<Instant> {
        let moment = self.life.time.stall.put_off(moment?, Grace::End).into_std();
        let asked = self.deadline.map(|deadline| deadline.asked().into_std());
        let earliest = match self.life.mains_thread() {
            MainsThread::Users => asked? + LEAVING,
            MainsThread::Leaving(since) => since + LEAVING,
            // Nothing is cut off that could be done in time on a machine that is not overloaded.
            MainsThread::Ours => moment + OVERLOADED,
        };
        Some(moment.max(earliest))
    }

    fn has_passed(&self, moment: Option<tokio::time::Instant>) -> bool {
        self.at(moment).is_some_and(|at| at <= Instant::now())
    }

    fn hear(&mut self, signal: Signal) {
        if !self.life.settings.signals.contains(&signal) {
            return self.heed(signal);
        }
        let stop = match self.life.phase.state() {
            State::Starting | State::Ready => Stop::NotAsked,
            State::Draining if !self.life.phase.is_drained() => Stop::Draining,
            _ => Stop::Drained,
        };
        match self.escalation.hear(signal, Instant::now(), stop) {
            Meaning::Echo => {}
            // Somebody else may have been faster.
            Meaning::Stop if self.begin_stop(signal) => {}
            Meaning::EndDrain => {
                self.life.end_drain();
                self.life.writer.say(lines::drain_ended(signal));
            }
            Meaning::Stop | Meaning::AlreadyStopping => {
                self.life.writer.say(lines::already_stopping(signal));
            }
            Meaning::Force => self.exit(failure::FORCED),
        }
    }

    /// Goes on with the stop at once, before anybody else has to be woken.
    fn begin_stop(&self, signal: Signal) -> bool {
        let act = || {
            self.driver.advance(&self.life);
        };
        self.life.begin_stop_by(signal, act)
    }

    /// A signal that stops nothing.
    fn heed(&self, signal: Signal) {
        if self.life.settings.dump == Some(signal) {
            status::publish(&self.life);
            awaits::publish(&self.life);
        } else if signal == Signal::Hangup {
            self.life.listeners.reloads.add();
            self.life.notifier.note_change();
        }
    }

    fn hold_deadline(&mut self) {
        let Some(budget) = self.life.phase.budget() else {
            return;
        };
        let is_test = self.life.settings.is_test;
        let deadline = *self.deadline.get_or_insert_with(|| if is_test { in_real_time(budget) } else { *budget });
        if self.has_passed(deadline.report_at()) {
            let code = self.life.diagnostics.failures.settle(failure::OUT_OF_TIME);
            publish::publish(&self.life, code, 0);
            self.reported.get_or_insert_with(Instant::now);
        }
        if self.insist_at().is_some_and(|at| at <= Instant::now()) {
            self.has_insisted = true;
            self.life.writer.insist();
        }
        if self.has_passed(deadline.end()) {
            if is_test {
                self.life.writer.speak_up();
                self.life.writer.say_report(lines::test_never_yields());
            }
            self.exit(failure::OUT_OF_TIME);
        }
    }

    /// Once a second, while there is no stop.
    fn look_around(&mut self) {
        if self.life.phase.state() >= State::Draining {
            return;
        }
        if self.life.settings.is_test {
            self.look_for_spinners();
        } else {
            // Which workers have ended by themselves, with nobody of their kind left.
            for (label, ended) in self.life.registry.newly_idle() {
                self.life.writer.say(lines::ended_early(&label, ended));
            }
        }
    }

    /// In a test: code that is inside the same poll in two looks a whole budget
    /// apart never yields, and nothing but this ends it.
    fn look_for_spinners(&mut self) {
        let patience = self.patience();
        let due = self.look.as_ref().is_none_or(|look| look.age() >= patience);
        if !due {
            return;
        }
        let now = self.life.sample();
        if self.look.replace(now).is_some_and(|look| look.has_one_still(&self.life.polls())) {
            self.life.writer.speak_up();
            self.life.writer.say_report(lines::test_never_yields());
            self.exit(failure::OUT_OF_TIME);
        }
    }

    /// How long a poll of a test may take.
    fn patience(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        self.life.settings.stop_timeout.saturating_add(TEST_GRACE).min(LONGEST)
    }

    /// The last resort.
    fn exit(&self, code: u8) -> ! {
        let code = self.life.diagnostics.failures.settle(code);
        publish::publish(&self.life, code, 0);
        let left =
            self.deadline.map_or(LAST_LINES, |deadline| deadline.left(tokio::time::Instant::from_std(Instant::now())));
        let had = self.reported.map_or(Duration::ZERO, |at| at.elapsed());
        let at_least = LAST_LINES_AT_LEAST.saturating_sub(had);
        let is_written = self.life.writer.finish(left.clamp(at_least, LAST_LINES));
        // A report that is nobody's fault to be late is worth a little more of an overloaded machine's time.
        if !is_written && self.life.writer.is_starved() {
            self.life.writer.flush(LAST_LINES);
        }
        (self.others.kill_children)();
        sys::exit_now(code)
    }
}

/// The budget of a test whose own clock may stand still.
fn in_real_time(budget: &Budget) -> Budget {
    let total = budget.total().unwrap_or(NO_LIMIT);
    Budget::new(tokio::time::Instant::from_std(Instant::now()), total.saturating_add(TEST_GRACE))
}
