//! The snapshot as a table for people.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::model::still_running::Blocking;
use crate::model::text::{listed, name, span};
use crate::report::rows::{Activity, WorkerStatus};
use crate::report::status::Status;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, up {}", self.state, span(self.uptime))?;
        if let Some(cause) = &self.cause {
            write!(f, "; stop: {cause}, {} ago", span(self.timings.since_asked()))?;
        }
        if let Some(remaining) = self.remaining {
            write!(f, ", {} left", span(remaining))?;
        }
        if self.untracked > 0 {
            write!(f, "; untracked tasks: {}", self.untracked)?;
        }
        #[cfg(all(unix, feature = "upgrade"))]
        upgrades(f, &self.upgrade)?;
        let mut workers = Table::new(&[
            &"worker", &"stage", &"live", &"oldest", &"ok", &"err", &"panic", &"abort", &"restart", &"refuse", &"now",
            &"at",
        ]);
        if self.main.is_alive {
            let (none, now) = (&"-", &self.main.activity);
            workers.add(&[&"main", &"main", &"1", &span(self.uptime), none, none, none, none, none, none, now, &""]);
        }
        for worker in &self.workers {
            let now = now(worker);
            workers.add(&[
                &path(worker),
                &worker.stage.unwrap_or_default(),
                &worker.live,
                &or_dash(worker.oldest),
                &worker.finished,
                &worker.failed,
                &worker.panicked,
                &worker.aborted,
                &worker.restarted,
                &worker.refused,
                &now,
                &worker.location,
            ]);
        }
        workers.write(f)?;
        let mut hooks = Table::new(&[&"hook", &"stage", &"progress", &"took"]);
        for hook in &self.hooks {
            let took = or_dash(hook.took);
            hooks.add(&[&name(&hook.name), &hook.stage, &hook.progress, &took]);
        }
        hooks.write(f)?;
        let mut holds = Table::new(&[&"hold", &"held", &"taken", &"at"]);
        for hold in &self.holds {
            holds.add(&[&name(&hold.name), &hold.live, &hold.taken, &hold.location]);
        }
        holds.write(f)
    }
}

/// `; generation 3; 1 upgrade failed, the last 5 s ago: …`.
#[cfg(all(unix, feature = "upgrade"))]
fn upgrades(f: &mut fmt::Formatter<'_>, upgrade: &crate::report::status::UpgradeStatus) -> fmt::Result {
    if upgrade.generation > 1 {
        write!(f, "; generation {}", upgrade.generation)?;
    }
    if upgrade.is_waiting {
        f.write_str(", which waits for the process before it to make way")?;
    }
    if upgrade.is_under_way {
        f.write_str("; an upgrade is under way")?;
    }
    if let Some(last) = &upgrade.last_failure {
        write!(f, "; upgrades failed: {}, the last {} ago: {}", upgrade.failed, span(last.ago), last.text)?;
    }
    Ok(())
}

/// `serve > connection`: what it was started by, and its name.
fn path(worker: &WorkerStatus) -> String {
    let parents = worker.parents.iter().map(String::as_str);
    parents.chain([&*name(&worker.name)]).collect::<Vec<_>>().join(" > ")
}

/// What they are doing: those that wait for a restart are not polled.
fn now(worker: &WorkerStatus) -> String {
    let mut parts = Vec::new();
    if worker.live > worker.restarting {
        parts.push(worker.activity.to_string());
    }
    if let Some(next) = worker.next_restart {
        let lately = match worker.restarted_lately {
            0 => String::new(),
            lately => format!(" ({lately} in the last minute)"),
        };
        parts.push(format!("{} restarting, the next in {}{lately}", worker.restarting, span(next)));
    }
    if let Some(last) = worker.last_failure.as_ref().filter(|_| worker.live > 0) {
        parts.push(format!("{} ago it {}", span(last.ago), last.text));
    }
    parts.join("; ")
}

fn or_dash(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), span)
}

/// A difference of so much between two workers is worth a word: both times are to the second.
const APART: Duration = Duration::from_secs(2);

/// Rows under a head, in columns as wide as their widest cell.
struct Table {
    lines: Vec<Vec<String>>,
    widths: Vec<usize>,
}

impl Table {
    fn new(head: &[&dyn fmt::Display]) -> Self {
        let mut table = Self { lines: Vec::new(), widths: vec![0; head.len()] };
        table.add(head);
        table
    }

    fn add(&mut self, cells: &[&dyn fmt::Display]) {
        let mut line = Vec::new();
        for (cell, width) in cells.iter().zip(&mut self.widths) {
            let cell = cell.to_string();
            *width = (*width).max(cell.chars().count());
            line.push(cell);
        }
        self.lines.push(line);
    }

    /// Writes nothing if there are no rows.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.len() == 1 {
            return Ok(());
        }
        for line in &self.lines {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&self.widths) {
                let _ = write!(text, "{cell:<width$}  ");
            }
            write!(f, "\n  {}", text.trim_end())?;
        }
        Ok(())
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.blocking.as_slice(), self.in_poll, self.last_polled) {
            ([], 0, None) => f.write_str("waiting"),
            ([], 0, Some(ago)) if ago.is_zero() => f.write_str("waiting, polled just now"),
            ([], 0, Some(ago)) => write!(f, "waiting, polled {} ago", span(ago)),
            ([], polled, _) => write!(f, "{polled} running"),
            (threads, ..) => {
                write!(f, "blocking {}", listed(threads.iter().map(Blocking::to_string)))
            }
        }?;
        let last = self.last_polled.unwrap_or_default();
        if let Some(longest) = self.longest_unpolled.filter(|longest| *longest >= last + APART) {
            write!(f, ", one not for {}", span(longest))?;
        }
        match self.since_progress {
            Some(since) => write!(f, ", one without progress for {}", span(since)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::hook::{HookStage, Progress};
    use crate::report::rows::HookStatus;
    use crate::report::status::Status;
    use std::time::Duration;

    #[test]
    fn the_table_is_aligned() {
        let hook = |name: &str, took| HookStatus {
            name: name.to_owned(),
            stage: HookStage::AfterStop,
            progress: Progress::Done,
            began: None,
            took: Some(Duration::from_millis(took)),
        };
        let status = Status { hooks: vec![hook("db", 7), hook("registry", 12)], ..Status::empty() };
        assert_eq!(
            status.to_string(),
            "starting, up 0 ms\n  hook      stage       progress  took\n  db        after_stop  done      7 ms\n  \
             registry  after_stop  done      12 ms"
        );
    }
}
