//! All that one lifecycle shares. No part holds another; the functions here use several of them.

mod begin;
mod failures;
mod members;
mod wakers;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

#[cfg(feature = "http")]
use crate::life::alarms::Alarms;
use crate::life::diagnostics::Diagnostics;
use crate::life::hook_list::Hooks;
use crate::life::listeners::Listeners;
use crate::life::members::Members;
use crate::life::notifier::Notifier;
use crate::life::phase::Phase;
use crate::life::poll_record::{LifeId, Poll, Sample, ThreadRecord, Threads};
use crate::life::registry::Registry;
use crate::life::runtime::Runtime;
use crate::life::slots::Slots;
use crate::life::stage_tokens::StageTokens;
#[cfg(all(unix, feature = "upgrade"))]
use crate::life::succession::Succession;
use crate::life::teardown::{MainsThread, Teardown};
use crate::model::coarse_clock::CoarseClock;
use crate::model::settings::Settings;
use crate::model::stall::{Stall, Why};
use crate::model::state::State;
use crate::os::signal::{self, Wakeup};
use crate::say::writer::Writer;
use crate::say::{lines, signals};

#[derive(Debug)]
pub(crate) struct Lifecycle {
    pub(crate) settings: Settings,
    /// How far it has come, why it stops, until when.
    pub(crate) phase: Phase,
    /// How many are alive, by stage.
    pub(crate) members: Members,
    /// An entry for each function and each name: its counters and its policy.
    pub(crate) registry: Registry,
    /// The parked workers.
    pub(crate) slots: Slots,
    /// The tokens of the stages.
    pub(crate) tokens: StageTokens,
    /// Which worker each thread is polling.
    pub(crate) threads: Threads,
    pub(crate) time: Time,
    pub(crate) hooks: Hooks,
    pub(crate) listeners: Listeners,
    /// The process before this one, and the one after it.
    #[cfg(all(unix, feature = "upgrade"))]
    pub(crate) succession: Succession,
    /// What the report of a bad end is made of.
    pub(crate) diagnostics: Diagnostics,
    pub(crate) runtime: Runtime,
    pub(crate) writer: Writer,
    pub(crate) notifier: Notifier,
    /// What main's thread does at the end.
    pub(crate) teardown: Teardown,
}

/// The times and clocks of a lifecycle.
#[derive(Debug)]
pub(crate) struct Time {
    /// When the lifecycle began.
    pub(crate) born: Instant,
    /// Counts seconds for code that cannot afford to read a clock.
    pub(crate) clock: CoarseClock,
    /// When the process last went on after it had stood still.
    pub(crate) stall: Stall,
    /// Tasks that are woken to the second.
    #[cfg(feature = "http")]
    pub(crate) alarms: Alarms,
}

impl Default for Time {
    fn default() -> Self {
        Self {
            born: Instant::now(),
            clock: CoarseClock::default(),
            stall: Stall::default(),
            #[cfg(feature = "http")]
            alarms: Alarms::default(),
        }
    }
}

impl Lifecycle {
    /// A lifecycle whose main is about to run: it counts as alive from the beginning.
    pub(crate) fn new(settings: Settings, writer: Writer, wakeup: Wakeup) -> Arc<Self> {
        let notifier = Notifier::new(wakeup, settings.is_test);
        Arc::new(Self {
            settings,
            phase: Phase::default(),
            members: Members::with_main(),
            registry: Registry::default(),
            slots: Slots::default(),
            tokens: StageTokens::default(),
            threads: Threads::default(),
            time: Time::default(),
            hooks: Hooks::default(),
            listeners: Listeners::default(),
            #[cfg(all(unix, feature = "upgrade"))]
            succession: Succession::default(),
            diagnostics: Diagnostics::default(),
            runtime: Runtime::to_be_built(),
            writer,
            notifier,
            teardown: Teardown::default(),
        })
    }

    #[inline]
    pub(crate) fn id(&self) -> LifeId {
        LifeId::of(self)
    }

    /// The tick of the coarse clock that a poll notes. Starts the clock if it stands still.
    #[inline]
    pub(crate) fn tick(&self) -> u32 {
        self.time.clock.latest().unwrap_or_else(|| self.start_clock())
    }

    #[cold]
    fn start_clock(&self) -> u32 {
        let (tick, stood_still) = self.time.clock.start();
        if stood_still {
            self.notifier.wakeup.wake();
        }
        tick
    }

    /// A number that changes with each poll that begins, and with each worker, hold and request that begins or ends; and
    /// whether a poll is under way.
    pub(crate) fn activity(&self) -> (u64, bool) {
        let (polls, is_polling) = self.threads.activity(self.id());
        (polls.wrapping_add(self.registry.turnover()), is_polling)
    }

    /// The clock of the stop: real time in a process, even if tokio's clock is paused; in a test, the test's clock.
    pub(crate) fn now(&self) -> Instant {
        if self.settings.is_test { Instant::now() } else { Instant::from_std(std::time::Instant::now()) }
    }

    /// Called by a thread that should have woken at `due`, and says how long it has waited for a processor since. Writes
    /// a line if it is late because the process stood still.
    pub(crate) fn woke(&self, due: Instant, waited: impl FnOnce() -> Option<Duration>) {
        if let Some(late) = self.time.stall.woke(due, self.now()) {
            self.writer.say(lines::stood_still(late, Why::of(late, waited())));
        }
    }

    /// Says which signals stop nothing any more, since other code has replaced their handlers: once for each.
    pub(crate) fn notice_replaced_handlers(&self) {
        let new = self.diagnostics.newly_replaced(signal::replaced());
        if !new.is_empty() {
            self.writer.say(signals::handlers_replaced(&new));
        }
    }

    /// The polls under way, by thread.
    pub(crate) fn polls(&self) -> Vec<(Arc<ThreadRecord>, Poll)> {
        self.threads.polls(self.id())
    }

    /// The same, to be compared with later ones.
    pub(crate) fn sample(&self) -> Sample {
        Sample::of(self.polls())
    }

    /// Whose code the end of the process waits for.
    pub(crate) fn mains_thread(&self) -> MainsThread {
        let is_quiet = self.members.are_gone() && !self.hooks.is_any_running() && !self.notifier.is_calling();
        if is_quiet { self.teardown.mains_thread() } else { MainsThread::Users }
    }

    /// Ends the watch and the writer.
    pub(crate) fn end(&self) {
        self.runtime.give_up();
        self.listeners.reloads.end();
        self.teardown.end();
        self.notifier.wakeup.wake();
        self.notifier.helper.end();
        self.writer.end();
        self.listeners.notify_systemd(State::Stopped);
        #[cfg(feature = "page")]
        self.listeners.viewers.over.cancel();
    }
}
