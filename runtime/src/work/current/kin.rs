//! The scopes of the worker being polled on this thread.

use std::sync::Arc;

use tokio::task::Id;

use super::{Here, look, look_with_life};
use crate::life::lifecycle::Lifecycle;
use crate::life::limit::Limit;
use crate::life::scope::{Kin, Scope};
use crate::model::failure::Failure;
use crate::model::label::EntryId;
use crate::work::parking;
use crate::work::polled::Current;

/// The scope of what the worker being polled here starts.
pub(crate) fn children() -> Option<Arc<Scope>> {
    look_with_life(|here, life| here.current().map(|_| here.children(life))).flatten()
}

/// The same, if it has started anything.
pub(crate) fn started() -> Option<Arc<Scope>> {
    look(|here| here.kin.borrow().children.clone()).flatten()
}

/// What it starts from now on is in another scope.
pub(crate) fn forget_children() {
    let before = look(|here| here.kin.borrow_mut().children.take());
    drop(before);
}

/// A failure that a member has passed to the worker being polled here.
pub(crate) fn childs_failure() -> Option<Failure> {
    look(|here| here.kin.borrow().children.as_ref()?.take_failure()).flatten()
}

/// The scopes of the worker being polled here, for another thread that runs code of that worker.
pub(crate) fn share_kin() -> Kin {
    let children = children();
    look(|here| Kin { parent: here.kin.borrow().parent.clone(), children }).unwrap_or_default()
}

/// Whether the worker being polled here is below the worker of this task.
pub(crate) fn is_below(task: Id) -> bool {
    let is_below = |parent: &Arc<Scope>| parent.is_owned_by(task);
    look(|here| here.kin.borrow().parent.as_ref().is_some_and(is_below)).unwrap_or(false)
}

/// The scope that the worker being polled here belongs to.
pub(crate) fn parent() -> Option<Arc<Scope>> {
    look(|here| here.kin.borrow().parent.clone()).flatten()
}

/// Whether the worker being polled here was started by another one.
pub(crate) fn has_parent() -> bool {
    look(|here| here.kin.borrow().parent.is_some()).unwrap_or(false)
}

/// How many workers above the one being polled here only wait for what they have started.
pub(crate) fn waiting_above() -> usize {
    let count = |parent: &Arc<Scope>| parent.line().filter(|scope| scope.is_lingering()).count();
    look(|here| here.kin.borrow().parent.as_ref().map(count)).flatten().unwrap_or(0)
}

impl Here {
    /// The scope of what the worker being polled starts, made now if this is the first time.
    // Not inlined: a spawn by main, which has none, is shorter without it.
    pub(super) fn children(&self, life: &Arc<Lifecycle>) -> Arc<Scope> {
        if let Some(children) = &self.kin.borrow().children {
            return Arc::clone(children);
        }
        self.make_children(life)
    }

    #[cold]
    fn make_children(&self, life: &Arc<Lifecycle>) -> Arc<Scope> {
        let parent = self.kin.borrow().parent.clone();
        let current = self.current();
        let entry = current.map_or(EntryId::MAIN, |current| current.entry);
        let limit = match &*self.limit.borrow() {
            Some(Limit::Run(limit)) => Some(Arc::clone(limit)),
            _ => None,
        };
        let children = Arc::new(Scope::new(parent, entry, tokio::task::try_id(), limit));
        self.kin.borrow_mut().children = Some(Arc::clone(&children));
        if let Some(Current { slot: Some(slot), interest, .. }) = current {
            life.slots.set_children(slot, &children);
            if interest.is_scoped() {
                let token = parking::own_token(life, interest.stage(), slot);
                parking::watch_token(life, &children, token);
            }
        }
        children
    }
}
