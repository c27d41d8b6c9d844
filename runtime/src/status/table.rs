//! The snapshot as a table that a person can read.

use std::fmt;

use super::{Activity, Status};
use crate::message::span;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, up {}", self.state, span(self.uptime))?;
        if let Some(cause) = &self.cause {
            write!(
                f,
                "; stop: {cause}, {} ago",
                span(self.timings.since_asked())
            )?;
        }
        if let Some(remaining) = self.remaining {
            write!(f, ", {} left", span(remaining))?;
        }
        if self.untracked > 0 {
            write!(f, "; untracked tasks: {}", self.untracked)?;
        }
        let workers = self.workers.iter().map(|worker| {
            let oldest = worker.oldest.map_or_else(|| "-".to_owned(), span);
            let now = match worker.live {
                0 => String::new(),
                _ => worker.activity.to_string(),
            };
            let ends = [
                &worker.finished,
                &worker.failed,
                &worker.panicked,
                &worker.aborted,
                &worker.restarted,
                &worker.refused,
            ];
            let stage = worker.stage.unwrap_or_default().to_string();
            let mut cells = vec![worker.name.clone(), stage, worker.live.to_string(), oldest];
            cells.extend(ends.map(u64::to_string));
            cells.extend([now, worker.location.clone()]);
            cells
        });
        let main = self.main.is_alive.then(|| {
            let mut cells = ["main", "main", "1"].map(str::to_owned).to_vec();
            cells.push(span(self.uptime));
            cells.extend(vec!["-".to_owned(); 6]);
            cells.extend([self.main.activity.to_string(), String::new()]);
            cells
        });
        let head = [
            "worker", "stage", "live", "oldest", "ok", "err", "panic", "abort", "restart",
            "refuse", "now", "at",
        ];
        table(f, &head, main.into_iter().chain(workers))?;
        let hooks = self.hooks.iter().map(|hook| {
            let took = hook.took.map_or_else(|| "-".to_owned(), span);
            vec![
                hook.name.clone(),
                hook.stage.to_string(),
                hook.progress.to_string(),
                took,
            ]
        });
        table(f, &["hook", "stage", "progress", "took"], hooks)?;
        let holds = self.holds.iter().map(|hold| {
            vec![
                hold.name.clone(),
                hold.live.to_string(),
                hold.taken.to_string(),
                hold.location.clone(),
            ]
        });
        table(f, &["hold", "held", "taken", "at"], holds)
    }
}

/// Rows under a head, in columns as wide as their widest cell; nothing where there are no rows.
fn table(
    f: &mut fmt::Formatter<'_>,
    head: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> fmt::Result {
    let mut lines = vec![
        head.iter()
            .map(|cell| (*cell).to_owned())
            .collect::<Vec<_>>(),
    ];
    lines.extend(rows);
    if lines.len() == 1 {
        return Ok(());
    }
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    for line in &lines {
        let cells: Vec<_> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        write!(f, "\n  {}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.blocking.as_slice(), self.in_poll, self.last_polled) {
            ([], 0, None) => f.write_str("waiting"),
            ([], 0, Some(ago)) if ago.is_zero() => f.write_str("waiting, polled just now"),
            ([], 0, Some(ago)) => write!(f, "waiting, polled {} ago", span(ago)),
            ([], polled, _) => write!(f, "{polled} running"),
            (threads, ..) => write!(f, "blocking {}", threads.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HookStatus, Status};
    use crate::hooks::{HookStage, Progress};
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
        let status = Status {
            hooks: vec![hook("db", 7), hook("registry", 12)],
            ..Status::empty()
        };
        assert_eq!(
            status.to_string(),
            "starting, up 0 ms\n  hook      stage       progress  took\n  db        after_stop  done      7 ms\n  \
             registry  after_stop  done      12 ms"
        );
    }
}
