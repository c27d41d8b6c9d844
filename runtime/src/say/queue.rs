//! What there is to write, and which thread writes.

use std::collections::VecDeque;

use crate::say::line::Line;

/// What there is to write.
pub(crate) enum Job {
    Line(Line),
    /// A line that the writing thread makes; or another job for that thread.
    Made(Box<dyn FnOnce() -> Option<Line> + Send>),
}

impl Job {
    pub(crate) fn finish(self) -> Option<Line> {
        match self {
            Self::Line(line) => Some(line),
            Self::Made(make) => make(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) lines: VecDeque<Job>,
    /// Written after all lines, and in any case.
    pub(crate) reports: VecDeque<Line>,
    pub(crate) dropped: usize,
    /// What the first thread does, or another thread in its place.
    pub(crate) first: First,
    /// What the second thread does, which writes the report if the first one does not get to it.
    pub(crate) second: Second,
    /// A report is being written, or was. No line comes after it: people look for its last one.
    pub(crate) is_reported: bool,
    pub(crate) is_over: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum First {
    #[default]
    Waits,
    WritesALine,
    WritesAReport,
}

/// How far the second thread has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Second {
    #[default]
    None,
    /// It was started, and has not checked the queue yet.
    Started,
    Writing,
}

impl Queue {
    pub(crate) fn has_more(&self) -> bool {
        !self.lines.is_empty() || !self.reports.is_empty()
    }

    /// Whether there is something to write, or a thread is writing.
    pub(crate) fn is_busy(&self) -> bool {
        self.first != First::Waits || self.second != Second::None || self.has_more()
    }

    /// Whether either thread has yet to write a report.
    pub(crate) fn has_report(&self) -> bool {
        let is_first_at_one = self.first == First::WritesAReport;
        is_first_at_one || self.second != Second::None || !self.reports.is_empty()
    }

    /// Whether the thread that is to write does not get a processor. One that has taken a report is kept from writing it by
    /// nothing else while standard error has room.
    pub(crate) fn is_starved(&self, has_room: impl Fn() -> bool) -> bool {
        match (self.second, self.first) {
            (Second::Started, _) => true,
            (Second::Writing, _) | (Second::None, First::WritesAReport) => has_room(),
            (Second::None, First::Waits) => self.has_more(),
            (Second::None, First::WritesALine) => false,
        }
    }

    /// The next report for the second thread, which is done when there is none.
    pub(crate) fn next_for_the_second(&mut self) -> Option<Line> {
        let next = self.next_report();
        self.second = if next.is_some() { Second::Writing } else { Second::None };
        next
    }

    /// The next job for the first thread, and whether it is a report.
    pub(crate) fn next(&mut self) -> Option<(Job, bool)> {
        match self.lines.pop_front() {
            Some(line) => Some((line, false)),
            None => self.next_report().map(|report| (Job::Line(report), true)),
        }
    }

    fn next_report(&mut self) -> Option<Line> {
        let next = self.reports.pop_front();
        self.is_reported |= next.is_some();
        next
    }
}
