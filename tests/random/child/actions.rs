//! Actions that the program takes on itself, and the handles and tokens that they need.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use graceful::{CancellationToken, WorkerHandle};
use tokio::time::{Instant, sleep_until};

use crate::act::Who;
use crate::program;
use crate::program::{Action, Deed};
use crate::say::say;

/// A handle whose result is not used.
trait Handle: Send {
    fn stop(&self);
    fn abort(&self);
}

impl<R: Send> Handle for WorkerHandle<R> {
    fn stop(&self) {
        Self::stop(self);
    }

    fn abort(&self) {
        Self::abort(self);
    }
}

static HANDLES: Mutex<Option<HashMap<u32, Box<dyn Handle>>>> = Mutex::new(None);
static TOKENS: Mutex<Option<HashMap<u32, CancellationToken>>> = Mutex::new(None);

/// Keeps the handle of a worker that an action needs later; drops any other.
pub(crate) fn leave_handle<R: Send + 'static>(who: Who, handle: WorkerHandle<R>) {
    if is_target(who, |deed| deed != Deed::Cancel) {
        let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
        let handles = handles.get_or_insert_default();
        handles.insert(who.0, Box::new(handle));
    }
}

/// Keeps the token of a worker that is cancelled later. Called by the worker itself.
pub(crate) fn leave_token(who: Who) {
    if is_target(who, |deed| deed == Deed::Cancel) {
        let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = tokens.get_or_insert_default();
        tokens.insert(who.0, graceful::token());
    }
}

fn is_target(who: Who, is_meant: impl Fn(Deed) -> bool) -> bool {
    let actions = &program().actions;
    who.0 > 0 && actions.iter().any(|action| action.to == who.0 && is_meant(action.deed))
}

/// Starts a task that takes them, each at its time.
pub(crate) fn start() {
    let mut actions = program().actions.clone();
    if actions.is_empty() {
        return;
    }
    actions.sort_by_key(|action| action.at);
    let begun = Instant::now();
    tokio::spawn(async move {
        for action in actions {
            sleep_until(begun + Duration::from_millis(action.at)).await;
            let who = Who(action.to);
            say(who, format_args!("deed {}", action.deed));
            let is_done = act(action);
            let after = if is_done { "done" } else { "missed" };
            say(who, format_args!("{after} {}", action.deed));
        }
    });
}

/// Returns whether it could be done.
fn act(action: Action) -> bool {
    if action.deed == Deed::Stop {
        graceful::stop();
        return true;
    }
    if action.deed == Deed::Cancel {
        let tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.as_ref().and_then(|tokens| tokens.get(&action.to).cloned());
        drop(tokens);
        return token.map(|token| token.cancel()).is_some();
    }
    // Dropped here: a result that a handle keeps delays the end.
    let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    let handle = handles.as_mut().and_then(|handles| handles.remove(&action.to));
    drop(handles);
    let Some(handle) = handle else { return false };
    if action.deed == Deed::Abort {
        handle.abort();
    } else {
        handle.stop();
    }
    true
}
