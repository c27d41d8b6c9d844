//! This thread's number, and its own reference to the lifecycle.

use std::sync::Arc;

use super::{Here, look};
use crate::life::lifecycle::Lifecycle;
use crate::life::local::Local;
#[cfg(feature = "tower")]
use crate::life::poll_record::LifeId;

/// This thread's number: the shard of slots that it prefers, and its part of what is counted by thread.
#[inline]
pub(crate) fn thread() -> u32 {
    look(|here| here.seen().number).unwrap_or(0)
}

/// Which lifecycle's code this thread runs, and the thread's number.
#[cfg(feature = "tower")]
#[inline]
pub(crate) fn runs() -> Option<(LifeId, u32)> {
    look(|here| (here.id.get(), here.seen().number))
}

/// This thread's own reference to the lifecycle, if it runs that one's code; else a new one.
pub(crate) fn local(life: &Arc<Lifecycle>) -> Arc<Local> {
    let own = |here: &Here| here.local.borrow().clone().filter(|local| Arc::ptr_eq(&local.life, life));
    look(own).flatten().unwrap_or_else(|| Arc::new(Local { life: Arc::clone(life), thread: thread() }))
}

impl Here {
    pub(super) fn make_local(&self, life: &Arc<Lifecycle>) -> Arc<Local> {
        Arc::new(Local { life: Arc::clone(life), thread: self.seen().number })
    }
}
