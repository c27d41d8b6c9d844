//! What bounds the code that this thread runs, beside the budget of the process.

use super::look;
use crate::life::limit::Limit;

/// Runs code with this limit, if it has one.
pub(crate) fn limited<T>(limit: Option<Limit>, run: impl FnOnce() -> T) -> T {
    if limit.is_none() {
        return run();
    }
    let outer = look(|here| here.limit.replace(limit));
    let result = run();
    drop(look(|here| here.limit.replace(outer.flatten())));
    result
}

/// What bounds the code running here, beside the budget of the process.
pub(crate) fn limit() -> Option<Limit> {
    look(|here| here.limit.borrow().clone()).flatten()
}
