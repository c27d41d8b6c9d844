//! Holds: keeping a stage open for as long as something is under way.

use std::panic::Location;
use std::sync::Arc;

#[cfg(all(unix, feature = "upgrade"))]
use crate::life::lifecycle::Lifecycle;
use crate::life::local::Local;
use crate::model::exit::ExitKind;
use crate::model::label::{EntryId, Label};
use crate::model::name::ToName;
use crate::model::state::Stage;
use crate::work::ambient::Caller;
use crate::work::current;

/// Keeps the caller's stage open while the returned value lives: the stop waits for it as for a worker, and
/// names it. For what runs outside any worker: an upload in a request handler, an upgraded connection.
///
/// Once its stage has been joined it holds nothing; nor does it outside any lifecycle.
#[track_caller]
pub fn hold<'a>(name: &'a (impl ToName<'a> + ?Sized)) -> Hold {
    let label = Label::at(name.to_name(), Location::caller()).of_hold();
    Hold(Caller::find().and_then(|caller| Held::take(&caller, label)))
}

/// Keeps a stage open. See [`hold`].
#[must_use = "a hold ends when it is dropped: bind it to a name"]
#[derive(Debug)]
pub struct Hold(Option<Held>);

impl Hold {
    /// Whether the stop waits for it.
    pub fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

/// What keeps a stage of a lifecycle open.
#[derive(Debug)]
pub(crate) struct Held {
    local: Arc<Local>,
    entry: EntryId,
    stage: Stage,
}

impl Held {
    fn take(caller: &Caller, label: Label) -> Option<Self> {
        let stage = caller.stage();
        Self::begin(current::local(&caller.life), stage, label)
    }

    fn begin(local: Arc<Local>, stage: Stage, label: Label) -> Option<Self> {
        local.life.tick();
        local.life.arrive(local.thread, stage).then(|| {
            let entry = local.life.registry.start_named(local.thread, label);
            Self { local, entry, stage }
        })
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        end(&self.local, self.entry, self.stage);
    }
}

/// Keeps a stage open for this crate's own work of this name; `None` when the stage has been joined.
#[cfg(all(unix, feature = "upgrade"))]
#[track_caller]
pub(crate) fn take(life: &Arc<Lifecycle>, name: &'static str, stage: Stage) -> Option<Held> {
    let label = Label::at(name.into(), Location::caller()).of_hold();
    Held::begin(current::local(life), stage, label)
}

/// Keeps a stage open under this entry, until [`end`]; `false` when the stage has been joined.
#[cfg(feature = "tower")]
#[inline]
pub(crate) fn begin(local: &Local, entry: EntryId, stage: Stage) -> bool {
    local.life.tick();
    let is_open = local.life.arrive(local.thread, stage);
    if is_open {
        local.life.registry.named(entry).start(local.thread);
    }
    is_open
}

#[inline]
pub(crate) fn end(local: &Local, entry: EntryId, stage: Stage) {
    local.life.tick();
    local.life.registry.named(entry).end(local.thread, ExitKind::Returned);
    local.life.leave(local.thread, stage);
}
