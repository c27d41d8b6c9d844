//! The thread that writes. Standard error may be a full pipe and a subscriber may block; whoever has
//! something to say leaves it here and goes on.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::os::{sys, threads};
use crate::say::line::{Level, Line, To};
use crate::say::queue::{First, Job, Queue, Second};
use crate::say::stderr::{has_room, write_all, write_past_the_lock};
use crate::say::{lines, subscriber};

/// Lines that wait beyond these are dropped, oldest first, and counted.
const WAITING: usize = 256;

/// So many bytes fit where a write does not block, with room to spare: half of `PIPE_BUF`.
const AT_ONCE: usize = 2048;

/// The way to the writing thread.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Desk>);

struct Desk {
    pile: Mutex<Queue>,
    /// There is something to write, or nothing will come any more.
    more: Condvar,
    /// Everything was written.
    empty: Condvar,
    /// Written before each line: `graceful: `.
    prefix: String,
    /// Output of tests is captured by their harness, which knows `eprint!` only.
    is_captured: AtomicBool,
}

impl Writer {
    /// The way to a thread that has yet to be started.
    pub(crate) fn new(name: Option<&str>, is_captured: bool) -> Self {
        let prefix = match name {
            None => "graceful: ".to_owned(),
            Some(name) => format!("graceful[{name}]: "),
        };
        let (more, empty) = (Condvar::new(), Condvar::new());
        Self(Arc::new(Desk { pile: Mutex::default(), more, empty, prefix, is_captured: AtomicBool::new(is_captured) }))
    }

    /// Starts the thread.
    pub(crate) fn start(&self, prepare: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let desk = Arc::clone(&self.0);
        let run = move || {
            prepare();
            desk.write_all();
        };
        threads::start("graceful-writer", Box::new(run)).map(drop)
    }

    /// What stands in front of each line.
    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Leaves a line to be written. Never blocks on what writing blocks on.
    pub(crate) fn say(&self, line: Line) {
        self.say_before(line, || {});
    }

    /// Leaves a line, does something, and only then wakes who writes the line.
    pub(crate) fn say_before(&self, line: Line, act: impl FnOnce()) {
        let is_for_a_subscriber = line.level == Level::Debug || line.to == To::Subscriber;
        let is_heard = !is_for_a_subscriber || subscriber::may_be_set();
        if is_heard {
            self.leave(Job::Line(line));
        }
        act();
        if is_heard {
            self.0.more.notify_one();
        }
    }

    /// Leaves the last line of a clean end, and writes what there is right here where that takes no longer than leaving
    /// it to the thread, whose writing would be waited for: nobody writes yet, and standard error has room.
    pub(crate) fn say_at_once(&self, line: Line) {
        self.leave(Job::Line(line));
        let lines = self.0.take_plain();
        if !lines.is_empty() {
            let text: String = lines.iter().map(|line| self.0.text(line)).collect();
            let _ = write_past_the_lock(text.as_bytes());
            self.0.lock().first = First::Waits;
        }
        if self.0.lock().has_more() {
            self.0.more.notify_one();
        } else {
            self.0.empty.notify_all();
        }
    }

    /// The same for a line that is yet to be made, by the thread that writes.
    pub(crate) fn say_later(&self, draft: impl FnOnce() -> Line + Send + 'static) {
        self.leave(Job::Made(Box::new(|| Some(draft()))));
        self.0.more.notify_one();
    }

    /// Has something done by the thread that writes, between two lines.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.leave(Job::Made(Box::new(|| {
            job();
            None
        })));
        self.0.more.notify_one();
    }

    fn leave(&self, draft: Job) {
        let mut pile = self.0.lock();
        if pile.lines.len() == WAITING {
            pile.lines.pop_front();
            pile.dropped += 1;
        }
        pile.lines.push_back(draft);
    }

    /// Leaves the report, which is written after the lines before it, and by somebody else where those do not get
    /// written. It is the last that is written.
    pub(crate) fn say_report(&self, line: Line) {
        self.0.lock().reports.push_back(Job::Line(line));
        self.0.more.notify_one();
    }

    /// Waits until everything was written, for `limit` at the most, and says whether the report was, if there is one.
    /// Where the first thread does not come back, from a subscriber or from a lock, a second one writes the report.
    pub(crate) fn finish(&self, limit: Duration) -> bool {
        self.flush(limit / 2) || {
            self.insist();
            self.wait(limit / 2, Queue::has_report)
        }
    }

    /// Has a second thread write the report, if it is not written yet.
    pub(crate) fn insist(&self) {
        let mut pile = self.0.lock();
        if pile.reports.is_empty() || pile.second != Second::None {
            return;
        }
        pile.second = Second::Started;
        drop(pile);
        let desk = Arc::clone(&self.0);
        let run = move || {
            // In braces, so that nothing is written under the lock.
            while let Some(draft) = { desk.lock().next_for_the_second() } {
                if let Some(line) = draft.finish() {
                    let _ = write_past_the_lock(desk.text(&line).as_bytes());
                }
            }
            desk.empty.notify_all();
        };
        if threads::start("graceful-report", Box::new(run)).is_err() {
            self.0.lock().second = Second::None;
        }
    }

    /// Whether there is something to write and nobody has begun to: not because he is held up, but because the machine
    /// has no time for him.
    pub(crate) fn is_starved(&self) -> bool {
        let pile = self.0.lock();
        match pile.second {
            Second::None => pile.first == First::Waits && pile.has_more(),
            Second::Started => true,
            Second::Writing => false,
        }
    }

    /// From now on, writes past a test harness that captures.
    pub(crate) fn speak_up(&self) {
        self.0.is_captured.store(false, Ordering::Relaxed);
    }

    /// Waits until everything was written, for `limit` at the most.
    /// Says whether it was.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        self.wait(limit, Queue::is_busy)
    }

    fn wait(&self, limit: Duration, pending: impl Fn(&Queue) -> bool) -> bool {
        let pile = self.0.lock();
        let pending = |pile: &mut Queue| pending(pile);
        let waited = self.0.empty.wait_timeout_while(pile, limit, pending);
        waited.is_ok_and(|(_, result)| !result.timed_out())
    }

    /// Ends the thread once everything was written.
    pub(crate) fn end(&self) {
        self.0.lock().is_over = true;
        self.0.more.notify_one();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All lines, for somebody else than the thread to write to standard error, if they are that simple: else none.
    fn take_plain(&self) -> Vec<Line> {
        if self.is_captured.load(Ordering::Relaxed) || subscriber::is_set() {
            return Vec::new();
        }
        let mut pile = self.lock();
        let length = |draft: &Job| match draft {
            Job::Line(line) if line.to == To::Whoever && line.level != Level::Debug => {
                Some(line.text.lines().count() * (self.prefix.len() + 1) + line.text.len())
            }
            _ => None,
        };
        let length: Option<usize> = pile.lines.iter().map(length).sum();
        let is_free = pile.first == First::Waits && !pile.is_reported && pile.dropped == 0;
        let is_all = pile.reports.is_empty() && length.is_some_and(|length| length <= AT_ONCE);
        if !is_free || !is_all || !has_room() {
            return Vec::new();
        }
        pile.first = First::WritesALine;
        pile.lines.drain(..).filter_map(Job::finish).collect()
    }

    /// The thread's loop.
    fn write_all(&self) {
        let mut pile = self.lock();
        loop {
            if pile.first != First::Waits {
                // Somebody else, who says when it is done.
                pile = self.more.wait(pile).unwrap_or_else(PoisonError::into_inner);
            } else if let Some((draft, is_report)) = pile.next() {
                let dropped = std::mem::take(&mut pile.dropped);
                pile.first = if is_report { First::WritesAReport } else { First::WritesALine };
                drop(pile);
                if dropped > 0 {
                    self.write(&lines::dropped(dropped), is_report);
                }
                if let Some(line) = draft.finish() {
                    self.write(&line, is_report);
                }
                pile = self.lock();
                pile.first = First::Waits;
            } else if pile.is_over {
                return;
            } else {
                self.empty.notify_all();
                pile = self.more.wait(pile).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn write(&self, line: &Line, is_report: bool) {
        sys::from_the_background(|| self.write_here(line, is_report));
    }

    fn write_here(&self, line: &Line, is_report: bool) {
        // A subscriber that panics has not told anybody.
        let tell = AssertUnwindSafe(|| subscriber::tell(line));
        let is_told = match line.to {
            To::Whoever | To::Subscriber => catch_unwind(tell).unwrap_or(false),
            To::Stderr | To::Raw => false,
        };
        if is_told || line.to == To::Subscriber || line.level == Level::Debug {
            return;
        }
        let text = self.text(line);
        let is_too_late = || !is_report && self.lock().is_reported;
        if self.is_captured.load(Ordering::Relaxed) {
            if !is_too_late() {
                eprint!("{text}");
            }
            return;
        }
        if is_report {
            let _ = write_past_the_lock(text.as_bytes());
            return;
        }
        // Whoever had the lock may have kept it until after the report.
        let mut stderr = io::stderr().lock();
        if !is_too_late() {
            // One write, so that lines of others do not fall into it. A closed stderr is nobody's failure.
            let _ = write_all(&mut stderr, text.as_bytes());
        }
    }

    fn text(&self, line: &Line) -> String {
        let prefix = match line.to {
            To::Raw => "",
            _ => &self.prefix,
        };
        line.text.lines().fold(String::new(), |text, entry| text + prefix + entry + "\n")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// With nobody who writes.
    fn alone() -> Writer {
        Writer::new(None, false)
    }

    #[test]
    fn lines_beyond_those_that_wait_are_dropped_and_counted() {
        let writer = alone();
        for number in 0..WAITING + 44 {
            writer.say(Line::info(number.to_string()));
        }
        let mut pile = writer.0.lock();
        assert_eq!((pile.lines.len(), pile.dropped), (WAITING, 44));
        let first = pile.next().and_then(|(draft, _)| draft.finish());
        assert_eq!(first.map(|line| line.text).as_deref(), Some("44"));
    }

    #[test]
    fn who_has_something_to_write_and_has_not_begun_is_starved() {
        let writer = alone();
        assert!(!writer.is_starved());
        writer.say(Line::info("a line"));
        assert!(writer.is_starved());
        writer.0.lock().first = First::WritesALine;
        assert!(!writer.is_starved());
        writer.0.lock().first = First::Waits;
        writer.0.lock().second = Second::Started;
        assert!(writer.is_starved());
        writer.0.lock().second = Second::Writing;
        assert!(!writer.is_starved());
    }

    #[test]
    fn only_what_fits_into_a_pipe_is_written_at_once() {
        let writer = alone();
        let line = "x".repeat(AT_ONCE / 2);
        writer.say(Line::info(line.clone()));
        writer.say(Line::info(line));
        assert!(writer.0.take_plain().is_empty());
        assert_eq!(writer.0.lock().first, First::Waits);
    }

    /// Whether the one line is written at once, where everything else is like this.
    #[cfg(unix)]
    fn is_written_at_once(line: Line, look: impl FnOnce(&mut Queue)) -> bool {
        let writer = alone();
        writer.leave(Job::Line(line));
        look(&mut writer.0.lock());
        let taken = writer.0.take_plain();
        assert_eq!(writer.0.lock().lines.is_empty(), !taken.is_empty());
        !taken.is_empty()
    }

    #[test]
    #[cfg(unix)]
    fn a_plain_line_is_written_at_once_where_nobody_else_writes() {
        assert!(has_room(), "who runs tests reads what they say");
        let line = || Line::info("a line");
        assert!(is_written_at_once(line(), |_| ()));
        assert!(!is_written_at_once(line(), |pile| pile.first = First::WritesALine));
        assert!(!is_written_at_once(line(), |pile| pile.is_reported = true));
        assert!(!is_written_at_once(line(), |pile| pile.dropped = 1));
        assert!(!is_written_at_once(line(), |pile| {
            let report = Line::report("a report".to_owned());
            pile.reports.push_back(Job::Line(report));
        }));
        assert!(!is_written_at_once(Line::debug("a detail"), |_| ()));
        assert!(!is_written_at_once(line().to(To::Subscriber), |_| ()));
        assert!(!is_written_at_once(line().to(To::Stderr), |_| ()));
    }

    #[test]
    #[cfg(unix)]
    fn once_the_last_line_is_written_nobody_is_waited_for() {
        let writer = alone();
        writer.say_at_once(Line::info("not a failure: a test of the last line"));
        assert!(writer.flush(Duration::ZERO), "somebody is to write");
    }

    #[test]
    fn a_report_that_nobody_writes_is_written_by_another_thread() {
        let writer = alone();
        writer.say_report(Line::report("not a failure: a test of how reports are written".to_owned()));
        let began = Instant::now();
        // Half of the time is the first thread's, of which there is none.
        assert!(writer.finish(Duration::from_secs(2)));
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}
