//! The watch: a thread that nothing of the user's can block.
//!
//! It receives the signals, drives the stop, holds the deadline, obeys the second interrupt and, as a last resort, ends
//! the process. It never runs, wakes or drops anything of the user's (main's waker is the runtime's), never writes to
//! standard error, and waits for the writer no longer than a bounded moment.

mod others;
mod periodic;
mod spinning_test;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::others::Others;
use crate::life::lifecycle::Lifecycle;
use crate::life::poll_record::Sample;
use crate::life::teardown::MainsThread;
use crate::model::budget::{
    Budget, DUMPING, EXIT_FUNCTIONS, LAST_LINES, LAST_LINES_AT_LEAST, LEAVING, LOOKING, MOMENT, OVERLOADED, PROBING,
    WRITING,
};
use crate::model::escalation::{Escalation, Meaning, Stop};
use crate::model::failure;
use crate::model::stall::Grace;
use crate::model::state::State;
use crate::os::run_delay::run_delay;
use crate::os::signal::{Inbox, Signal};
use crate::os::{signal, sys, threads};
use crate::report::{awaits, publish, status};
use crate::say::{refusals, signals};
use crate::stop::driver::Driver;
use crate::stop::watch::periodic::Periodic;
use crate::work::at_exit;

/// After so many refusals in a row the system is taken to grant no thread at all.
const REFUSALS: u32 = 3;

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
        run_delay: None,
        escalation: Escalation::default(),
        earlier: None,
        reported: None,
        has_second_writer: false,
        probe_at: Some(Instant::now() + PROBING),
        refusals: 0,
        driver: driver.clone(),
        conduct_at: None,
        others,
        recorded: None,
        periodic: Periodic::default(),
    };
    let run = move || {
        prepare();
        watch.run();
    };
    threads::start("graceful-watch", Box::new(run))
}

struct Watch {
    life: Arc<Lifecycle>,
    inbox: Inbox,
    /// Set when the stop began.
    deadline: Option<Budget>,
    /// In a stop: how long this thread had waited for a processor, and when that was looked up.
    run_delay: Option<(Instant, Option<Duration>)>,
    escalation: Escalation,
    /// In a test, the polls that were under way some time ago.
    earlier: Option<Sample>,
    /// When it gave the report to the writer.
    reported: Option<Instant>,
    /// It has asked for a second thread that writes the report if the writer has not.
    has_second_writer: bool,
    /// When to check whether the system grants a thread, until the runtime is built.
    probe_at: Option<Instant>,
    /// How often in a row it refused.
    refusals: u32,
    driver: Driver,
    /// When the stop goes on even if nothing wakes the watch.
    conduct_at: Option<Instant>,
    others: Others,
    /// The state that was recorded last.
    recorded: Option<State>,
    periodic: Periodic,
}

impl Watch {
    fn run(&mut self) {
        // A thread's first allocation takes longer than all that it does when the stop begins.
        drop(std::hint::black_box(Box::new(0_u8)));
        while !self.life.teardown.is_over() {
            let next = [self.next_period(), self.next(), self.conduct_at, self.probe_at];
            let next = next.into_iter().flatten().min();
            let now = Instant::now();
            self.note_run_delay(now);
            self.inbox.wait(next.map(|next| next.saturating_duration_since(now)));
            if let Some(due) = next.filter(|due| now < *due && self.deadline.is_some()) {
                let before = self.run_delay.and_then(|(_, delay)| delay);
                self.life.woke(due.into(), || Some(run_delay()?.saturating_sub(before?)));
            }
            let is_period = self.do_periodic();
            let state = self.life.phase.state();
            if is_period || self.recorded.replace(state) != Some(state) {
                (self.others.record)(&self.life);
            }
            for signal in self.inbox.arrived.take() {
                self.receive(signal);
            }
            self.hold_deadline();
            if !self.life.settings.is_test {
                self.conduct_at = self.driver.advance(&self.life).map(Into::into);
            }
            self.check_runtime();
        }
        (self.others.reap_children)();
    }

    /// Looks up how long this thread has waited for a processor, now and then: it takes longer than a short wait.
    fn note_run_delay(&mut self, now: Instant) {
        if self.deadline.is_some() && self.run_delay.is_none_or(|(then, _)| now - then >= MOMENT) {
            self.run_delay = Some((now, run_delay()));
        }
    }

    /// Ends the process if the runtime cannot be built: tokio has started some of its threads, and the system grants no
    /// other. Tokio has panicked then, and waits for the threads it has, forever.
    fn check_runtime(&mut self) {
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

    /// When the deadline needs the watch, even if nothing wakes it.
    fn next(&self) -> Option<Instant> {
        let deadline = self.deadline?;
        let report_at = deadline.report_at().filter(|_| !self.life.diagnostics.is_reported());
        let moment = report_at.or(deadline.end());
        let now = Instant::now();
        // The reason to put it off can vanish before that.
        let due = match moment?.into_std() {
            moment if now < moment => Some(moment),
            _ => self.at(moment).map(|at| at.min(now + LOOKING)),
        };
        due.into_iter().chain(self.second_writer_at()).min()
    }

    /// When the writer has had the time to write the report.
    fn second_writer_at(&self) -> Option<Instant> {
        let reported = self.reported.filter(|_| !self.has_second_writer)?;
        Some(reported + WRITING)
    }

    /// A moment of the budget, put off so that what ends by itself at the last moment can leave, and what was due while
    /// the process stood still can end.
    fn at(&self, moment: Option<tokio::time::Instant>) -> Option<Instant> {
        let moment = self.life.time.stall.put_off(moment?, Grace::End).into_std();
        let asked = self.deadline.map(|deadline| deadline.asked().into_std());
        let earliest = match self.life.mains_thread() {
            MainsThread::Users => asked? + LEAVING,
            MainsThread::Leaving(since) => since + LEAVING,
            // An overloaded machine gets more time, so that what would be done in time on another is not cut off.
            MainsThread::Ours => moment + OVERLOADED,
        };
        Some(moment.max(earliest))
    }

    fn has_passed(&self, moment: Option<tokio::time::Instant>) -> bool {
        self.at(moment).is_some_and(|at| at <= Instant::now())
    }

    fn receive(&mut self, signal: Signal) {
        if let Some(closing) = signal::closing() {
            let line = signals::closing(&closing, self.life.settings.stop_timeout);
            if let Some(line) = line {
                self.life.writer.say(line);
            }
        }
        if !self.life.settings.signals.contains(&signal) {
            return self.dump_or_reload(signal);
        }
        let stop = match self.life.phase.state() {
            State::Starting | State::Ready => Stop::NotAsked,
            State::Draining if !self.life.phase.is_drained() => Stop::Draining,
            _ => Stop::Drained,
        };
        match self.escalation.hear(signal, Instant::now(), stop) {
            Meaning::Echo => {}
            // Another cause may have been faster.
            Meaning::Stop if self.begin_stop(signal) => {}
            Meaning::EndDrain => {
                self.life.end_drain();
                self.life.writer.say(signals::drain_ended(signal));
            }
            Meaning::Stop | Meaning::AlreadyStopping => {
                self.life.writer.say(signals::already_stopping(signal));
            }
            Meaning::Force => self.exit(failure::FORCED),
        }
    }

    /// Begins the stop and goes on with it at once: no other thread has to be woken first.
    fn begin_stop(&self, signal: Signal) -> bool {
        let act = || {
            self.driver.advance(&self.life);
        };
        self.life.begin_stop_by(signal, act)
    }

    /// A signal that stops nothing.
    fn dump_or_reload(&self, signal: Signal) {
        if self.life.settings.dump.contains(&signal) {
            if signal == Signal::Abort {
                self.life.writer.say(signals::aborted());
            }
            status::publish(&self.life);
            awaits::publish(&self.life);
            if signal == Signal::Abort {
                self.die_of_abort();
            }
        } else if self.life.settings.upgrades_at(signal) {
            (self.others.upgrade)(&self.life);
        } else if signal == Signal::Hangup {
            self.life.listeners.reloads.add();
            self.life.listeners.note_reload();
            self.life.notifier.note_change();
        }
    }

    /// Ends the process by SIGABRT, once the dump is written.
    fn die_of_abort(&self) {
        let began = Instant::now();
        self.run_exit_functions();
        awaits::finish(&self.life, DUMPING);
        self.life.writer.flush(DUMPING.saturating_sub(began.elapsed()));
        (self.others.kill_children)();
        sys::die_of(Signal::Abort.number());
        // The kernel protects PID 1 from the signal.
        sys::exit_now(failure::of_signal(Signal::Abort));
    }

    fn hold_deadline(&mut self) {
        let Some(budget) = self.life.phase.budget() else {
            return;
        };
        let is_test = self.life.settings.is_test;
        let deadline = *self.deadline.get_or_insert_with(|| {
            // The clock runs during a stop.
            self.life.tick();
            if is_test { spinning_test::in_real_time(budget) } else { *budget }
        });
        if self.has_passed(deadline.report_at()) {
            let code = self.life.diagnostics.failures.settle(failure::OUT_OF_TIME);
            // A terminal takes the report better once it is what it was.
            self.run_exit_functions();
            publish::publish(&self.life, code, 0);
            self.reported.get_or_insert_with(Instant::now);
        }
        if self.second_writer_at().is_some_and(|at| at <= Instant::now()) {
            self.has_second_writer = true;
            self.life.writer.insist();
        }
        if self.has_passed(deadline.end()) {
            if is_test {
                self.give_up_test();
            }
            self.exit(failure::OUT_OF_TIME);
        }
    }

    /// Functions of the user's run on threads of their own: the watch waits for them, but not beyond the deadline.
    fn run_exit_functions(&self) {
        at_exit::run(&self.life, self.left().clamp(LAST_LINES_AT_LEAST, EXIT_FUNCTIONS));
    }

    /// What is left until the deadline.
    fn left(&self) -> Duration {
        let now = tokio::time::Instant::from_std(Instant::now());
        self.deadline.map_or(LAST_LINES, |deadline| deadline.left(now))
    }

    /// The last resort.
    fn exit(&self, code: u8) -> ! {
        let code = self.life.diagnostics.failures.settle(code);
        self.run_exit_functions();
        publish::publish(&self.life, code, 0);
        let (left, had) = (self.left(), self.reported.map_or(Duration::ZERO, |at| at.elapsed()));
        let limit = left.clamp(LAST_LINES_AT_LEAST.saturating_sub(had), LAST_LINES);
        self.life.writer.finish(limit);
        #[cfg(feature = "page")]
        self.life.listeners.viewers.wait(limit);
        (self.others.kill_children)();
        sys::exit_now(code)
    }
}
