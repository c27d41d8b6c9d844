//! The thread that writes. Standard error may be a full pipe and a subscriber may block; other threads queue their
//! lines here and go on.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, PoisonError};
use std::time::Duration;

use crate::model::budget::LAST_LINES;
use crate::os::lock::Lock;
use crate::os::{sys, threads};
use crate::say::line;
use crate::say::line::{Level, Line, To};
use crate::say::queue::{First, Job, Queue, Second};
use crate::say::stderr::{has_room, is_journal, write_all, write_past_the_lock};
use crate::say::{lines, subscriber};

/// Queued lines beyond these are dropped, oldest first, and counted.
const WAITING: usize = 256;

/// So many bytes fit into a pipe with room, without blocking: half of `PIPE_BUF`.
const AT_ONCE: usize = 2048;

/// A handle to the writing thread.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Shared>);

struct Shared {
    queue: Lock<Queue>,
    /// There is something to write, or nothing more will come.
    more: Condvar,
    /// Everything was written.
    empty: Condvar,
    /// Written before each line.
    prefix: String,
    /// Standard error is systemd's journal: each line begins with its level.
    is_journal: bool,
    /// Output of tests is captured by their harness, which knows `eprint!` only.
    is_captured: AtomicBool,
}

impl Writer {
    /// A handle to a thread that has yet to be started.
    pub(crate) fn new(name: Option<&str>, is_captured: bool) -> Self {
        let (more, empty) = (Condvar::new(), Condvar::new());
        Self(Arc::new(Shared {
            queue: Lock::default(),
            more,
            empty,
            prefix: line::prefix(name),
            is_journal: !is_captured && is_journal(),
            is_captured: AtomicBool::new(is_captured),
        }))
    }

    /// Starts the thread.
    pub(crate) fn start(&self, prepare: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        let run = move || {
            prepare();
            shared.write_all();
        };
        threads::start("graceful-writer", Box::new(run))
    }

    /// The prefix of each line.
    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Queues a line. Never blocks on what writing blocks on.
    pub(crate) fn say(&self, line: Line) {
        self.say_before(line, || {});
    }

    /// Queues a line, calls `act`, and only then wakes the writer.
    pub(crate) fn say_before(&self, line: Line, act: impl FnOnce()) {
        let is_for_a_subscriber = line.level == Level::Debug || line.to == To::Subscriber;
        let is_wanted = !is_for_a_subscriber || subscriber::may_be_set();
        if is_wanted {
            self.push(Job::Line(line));
        }
        act();
        if is_wanted {
            self.0.more.notify_one();
        }
    }

    /// Queues the last line of a clean end. Writes what is queued right here if that takes no longer than waiting for
    /// the writer: no thread is writing, and standard error has room.
    pub(crate) fn say_at_once(&self, line: Line) {
        self.push(Job::Line(line));
        let lines = self.0.take_plain();
        if !lines.is_empty() {
            let text: String = lines.iter().map(|line| self.0.text(line)).collect();
            write_past_the_lock(&text);
            self.0.queue.lock().first = First::Waits;
        }
        if self.0.queue.lock().has_more() {
            self.0.more.notify_one();
        } else {
            self.0.empty.notify_all();
        }
    }

    /// Queues a line that the writer makes itself, if there is one to make by then.
    pub(crate) fn say_later(&self, make: impl FnOnce() -> Option<Line> + Send + 'static) {
        self.push(Job::Made(Box::new(make)));
        self.0.more.notify_one();
    }

    /// Runs a job on the writer, between two lines.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.say_later(|| {
            job();
            None
        });
    }

    fn push(&self, job: Job) {
        let mut queue = self.0.queue.lock();
        if queue.lines.len() == WAITING {
            queue.lines.pop_front();
            queue.dropped += 1;
        }
        queue.lines.push_back(job);
    }

    /// Queues the report, which is written after the lines before it, or by a second thread if those do not get
    /// written. Nothing is written after it.
    pub(crate) fn say_report(&self, line: Line) {
        self.0.queue.lock().reports.push_back(line);
        self.0.more.notify_one();
    }

    /// Waits until everything was written, for `limit` at most, and returns whether the report was, if there is one.
    /// If the first thread does not come back from a subscriber or a lock, a second one writes the report. Where that
    /// thread is kept from writing by nothing but a busy machine, this waits for another 100 ms.
    pub(crate) fn finish(&self, limit: Duration) -> bool {
        self.flush(limit / 2) || {
            self.insist();
            let is_starved = || self.0.queue.lock().is_starved(has_room);
            self.wait(limit / 2, Queue::has_report) || is_starved() && self.wait(LAST_LINES, Queue::has_report)
        }
    }

    /// Starts a second thread to write the report, if it is not written yet.
    pub(crate) fn insist(&self) {
        let mut queue = self.0.queue.lock();
        if queue.reports.is_empty() || queue.second != Second::None {
            return;
        }
        queue.second = Second::Started;
        drop(queue);
        let shared = Arc::clone(&self.0);
        let run = move || {
            // In braces, so that nothing is written under the lock.
            while let Some(line) = { shared.queue.lock().next_for_the_second() } {
                write_past_the_lock(&shared.text(&line));
            }
            shared.empty.notify_all();
        };
        if threads::start("graceful-report", Box::new(run)).is_err() {
            self.0.queue.lock().second = Second::None;
        }
    }

    /// From now on, writes past a test harness that captures output.
    pub(crate) fn speak_up(&self) {
        self.0.is_captured.store(false, Ordering::Relaxed);
    }

    /// Waits until everything was written, for `limit` at most. Returns whether it was.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        self.wait(limit, Queue::is_busy)
    }

    fn wait(&self, limit: Duration, pending: fn(&Queue) -> bool) -> bool {
        let queue = self.0.queue.lock();
        let waited = self.0.empty.wait_timeout_while(queue, limit, |queue| pending(queue));
        waited.is_ok_and(|(_, result)| !result.timed_out())
    }

    /// Ends the thread once everything was written.
    pub(crate) fn end(&self) {
        self.0.queue.lock().is_over = true;
        self.0.more.notify_one();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Shared {
    /// All lines, for another thread to write to standard error, if they are that simple; else none.
    fn take_plain(&self) -> Vec<Line> {
        if self.is_captured.load(Ordering::Relaxed) || subscriber::is_set() {
            return Vec::new();
        }
        let mut queue = self.queue.lock();
        let length = |job: &Job| match job {
            Job::Line(line) if matches!(line.to, To::Either | To::InAnyCase) && line.level != Level::Debug => {
                let added = self.level(line).len() + self.prefix.len() + 1;
                Some(line.text.lines().count() * added + line.text.len())
            }
            _ => None,
        };
        let length: Option<usize> = queue.lines.iter().map(length).sum();
        let is_free = queue.first == First::Waits && !queue.is_reported && queue.dropped == 0;
        let is_all = queue.reports.is_empty() && length.is_some_and(|length| length <= AT_ONCE);
        if !is_free || !is_all || !has_room() {
            return Vec::new();
        }
        queue.first = First::WritesALine;
        queue.lines.drain(..).filter_map(Job::finish).collect()
    }

    /// The thread's loop.
    fn write_all(&self) {
        let mut queue = self.queue.lock();
        loop {
            if queue.first != First::Waits {
                // Another thread is writing, and notifies this one when it is done.
                queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
            } else if let Some((job, is_report)) = queue.next() {
                let dropped = std::mem::take(&mut queue.dropped);
                queue.first = if is_report { First::WritesAReport } else { First::WritesALine };
                drop(queue);
                if dropped > 0 {
                    self.write(&lines::dropped(dropped), is_report);
                }
                if let Some(line) = job.finish() {
                    self.write(&line, is_report);
                }
                queue = self.queue.lock();
                queue.first = First::Waits;
            } else if queue.is_over {
                return;
            } else {
                self.empty.notify_all();
                queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn write(&self, line: &Line, is_report: bool) {
        sys::from_the_background(|| self.write_here(line, is_report));
    }

    fn write_here(&self, line: &Line, is_report: bool) {
        // A subscriber that panics has not recorded the line.
        let emit = AssertUnwindSafe(|| subscriber::emit(line));
        let is_recorded = match line.to {
            To::Either | To::InAnyCase | To::Subscriber => catch_unwind(emit).unwrap_or(false),
            To::Stderr | To::Raw => false,
        };
        if is_recorded || line.to == To::Subscriber || line.level == Level::Debug {
            return;
        }
        let text = self.text(line);
        let is_too_late = || !is_report && self.queue.lock().is_reported;
        if self.is_captured.load(Ordering::Relaxed) {
            if !is_too_late() {
                eprint!("{text}");
            }
            return;
        }
        if is_report {
            write_past_the_lock(&text);
            return;
        }
        // Another thread may have kept the lock until after the report.
        let mut stderr = io::stderr().lock();
        if !is_too_late() {
            // One write, so that other output does not fall into it.
            write_all(&mut stderr, text.as_bytes());
        }
    }

    fn text(&self, line: &Line) -> String {
        let level = self.level(line);
        let prefix = match line.to {
            To::Raw => "",
            _ => &self.prefix,
        };
        line.text.lines().fold(String::new(), |text, entry| text + level + prefix + entry + "\n")
    }

    /// What tells the journal how much the line matters.
    fn level(&self, line: &Line) -> &'static str {
        if self.is_journal { line.level.in_journal() } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Without a thread that writes.
    fn alone() -> Writer {
        Writer::new(None, false)
    }

    #[test]
    fn lines_beyond_the_limit_are_dropped_and_counted() {
        let writer = alone();
        for number in 0..WAITING + 44 {
            writer.say(Line::info(number.to_string()));
        }
        let mut queue = writer.0.queue.lock();
        assert_eq!((queue.lines.len(), queue.dropped), (WAITING, 44));
        let first = queue.next().and_then(|(job, _)| job.finish());
        assert_eq!(first.map(|line| line.text).as_deref(), Some("44"));
    }

    #[test]
    fn a_writer_that_has_not_begun_its_work_is_starved() {
        let writer = alone();
        let is_starved = |has_room: bool| writer.0.queue.lock().is_starved(|| has_room);
        assert!(!is_starved(true));
        writer.say(Line::info("a line"));
        assert!(is_starved(false));
        writer.0.queue.lock().first = First::WritesALine;
        assert!(!is_starved(true));
        writer.0.queue.lock().second = Second::Started;
        assert!(is_starved(false));
        writer.0.queue.lock().second = Second::Writing;
        assert!(is_starved(true), "it has taken the report, and nothing is in its way");
        assert!(!is_starved(false), "nobody reads standard error");
    }

    #[test]
    fn only_what_fits_into_a_pipe_is_written_at_once() {
        let writer = alone();
        let line = "x".repeat(AT_ONCE / 2);
        writer.say(Line::info(line.clone()));
        writer.say(Line::info(line));
        assert!(writer.0.take_plain().is_empty());
        assert_eq!(writer.0.queue.lock().first, First::Waits);
    }

    /// Whether the one line is written at once, after `change` to everything else.
    #[cfg(unix)]
    fn is_written_at_once(line: Line, change: impl FnOnce(&mut Queue)) -> bool {
        let writer = alone();
        writer.push(Job::Line(line));
        change(&mut writer.0.queue.lock());
        let taken = writer.0.take_plain();
        assert_eq!(writer.0.queue.lock().lines.is_empty(), !taken.is_empty());
        !taken.is_empty()
    }

    #[test]
    #[cfg(unix)]
    fn a_plain_line_is_written_at_once_if_no_other_thread_writes() {
        assert!(has_room(), "the output of tests has a reader");
        let line = || Line::info("a line");
        assert!(is_written_at_once(line(), |_| ()));
        assert!(!is_written_at_once(line(), |queue| queue.first = First::WritesALine));
        assert!(!is_written_at_once(line(), |queue| queue.is_reported = true));
        assert!(!is_written_at_once(line(), |queue| queue.dropped = 1));
        assert!(!is_written_at_once(line(), |queue| {
            let report = Line::report("a report".to_owned());
            queue.reports.push_back(report);
        }));
        assert!(!is_written_at_once(Line::debug("a detail"), |_| ()));
        assert!(!is_written_at_once(line().to(To::Subscriber), |_| ()));
        assert!(!is_written_at_once(line().to(To::Stderr), |_| ()));
    }

    #[test]
    #[cfg(unix)]
    fn once_the_last_line_is_written_there_is_no_wait() {
        let writer = alone();
        writer.say_at_once(Line::info("not a failure: a test of the last line"));
        assert!(writer.flush(Duration::ZERO), "something is left to write");
    }

    #[test]
    fn a_report_the_writer_does_not_reach_is_written_by_another_thread() {
        let writer = alone();
        writer.say_report(Line::report("not a failure: a test of how reports are written".to_owned()));
        let began = Instant::now();
        // Half of the time is the first thread's, of which there is none.
        assert!(writer.finish(Duration::from_secs(2)));
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}
