//! Waiting for what a worker has started.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::life::lifecycle::Lifecycle;
use crate::life::scope::Scope;
use crate::model::budget::FIRST_LINE;
use crate::model::label::EntryId;
use crate::model::text;
use crate::say::lines;

/// Resolves when what a worker has started has ended.
pub(crate) type Linger = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits for the members of a scope of this worker. If the scope was stopped, or another run waits for it, a line says
/// so: after a second, and then each time in twice as long. In a stop of the process, the stop's own lines do.
pub(crate) fn children_gone(life: Arc<Lifecycle>, entry: EntryId, scope: Arc<Scope>, is_restart: bool) -> Linger {
    let mut next: Option<(Duration, Pin<Box<tokio::time::Sleep>>)> = None;
    let mut began = Instant::now();
    Box::pin(poll_fn(move |context| {
        if scope.poll_gone(context).is_ready() {
            return Poll::Ready(());
        }
        let is_waited_for = is_restart || scope.is_stopped();
        loop {
            let Some((waited, timer)) = &mut next else {
                if !is_waited_for {
                    return Poll::Pending;
                }
                began = Instant::now();
                next = Some((FIRST_LINE, Box::pin(sleep_until(began + FIRST_LINE))));
                continue;
            };
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if !life.phase.is_stop_begun() {
                say(&life, entry, &scope, is_restart, *waited);
            }
            *waited = waited.saturating_mul(2);
            timer.as_mut().reset(began + *waited);
        }
    }))
}

fn say(life: &Lifecycle, entry: EntryId, scope: &Arc<Scope>, is_restart: bool, waited: Duration) {
    let mut names: Vec<_> = life.slots.count_below(scope).into_iter().collect();
    names.sort_unstable();
    let names = names.into_iter().filter_map(|(child, count)| {
        let entry = life.registry.get(child);
        Some(format!("{} ×{count}", text::name(&entry.label()?.name)))
    });
    let owner = life.registry.get(entry).subject().name();
    life.writer.say(lines::waits_for_children(&owner, is_restart, names, waited));
}
