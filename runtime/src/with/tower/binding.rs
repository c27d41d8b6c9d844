//! A layer in a lifecycle: where its requests are counted.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::StatusCode;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::admission::{Admission, Options};
use crate::life::by_thread::ByThread;
use crate::life::lifecycle::Lifecycle;
use crate::life::local::Local;
use crate::life::poll_record::LifeId;
use crate::model::label::EntryId;
use crate::work::{ambient, current, hold, parking};

/// What all services of a layer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) admission: Arc<Admission>,
    /// For each thread, in the lifecycle that had the first request there: nearly always the only one. A request that finds
    /// it here needs no other look-up.
    first: ByThread<OnceLock<Arc<Binding>>>,
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        Self { admission: Arc::new(Admission::new(options)), first: ByThread::default() }
    }

    /// The layer in the calling code's lifecycle.
    #[inline]
    pub(super) fn here(&self) -> Arc<Binding> {
        match current::runs().and_then(|(life, thread)| self.first(thread, life)) {
            Some(first) => Arc::clone(first),
            None => self.elsewhere(),
        }
    }

    #[cold]
    fn elsewhere(&self) -> Arc<Binding> {
        match ambient::lifecycle() {
            Some(life) => self.within(&life),
            None => Arc::new(Binding::new(&self.admission, None)),
        }
    }

    /// The layer in this lifecycle.
    pub(super) fn within(&self, life: &Arc<Lifecycle>) -> Arc<Binding> {
        let binding = || Arc::new(Binding::new(&self.admission, Some(life)));
        let first = self.first.of(current::thread()).get_or_init(binding);
        if first.life == life.id() { Arc::clone(first) } else { binding() }
    }

    #[inline]
    fn first(&self, thread: u32, life: LifeId) -> Option<&Arc<Binding>> {
        let first = self.first.of(thread).get()?;
        (first.life == life).then_some(first)
    }
}

/// What the requests of a layer in one lifecycle, on one thread, have in common.
pub(super) struct Binding {
    pub(super) admission: Arc<Admission>,
    life: LifeId,
    /// Where requests are counted. Outside any lifecycle they are not.
    place: Option<Place>,
}

struct Place {
    local: Arc<Local>,
    entry: EntryId,
}

impl Binding {
    fn new(admission: &Arc<Admission>, life: Option<&Arc<Lifecycle>>) -> Self {
        let place = life.map(|life| {
            let entry = life.registry.keep_named(admission.options.label.clone());
            Place { local: current::local(life), entry }
        });
        let life = life.map_or(LifeId::NONE, |life| life.id());
        Self { admission: Arc::clone(admission), life, place }
    }

    #[inline]
    pub(super) fn life(&self) -> Option<&Arc<Lifecycle>> {
        self.place.as_ref().map(|place| &place.local.life)
    }

    /// Counts one more request, or returns the status with which to refuse it.
    #[inline]
    pub(super) fn begin(&self) -> Result<(), StatusCode> {
        let Self { admission, place, .. } = self;
        admission.admit(self.life().map(|life| &**life))?;
        match place {
            // The stage has ended: the stop would not wait for the request.
            Some(Place { local, entry }) if !hold::begin(local, *entry, admission.options.stage) => {
                admission.leave();
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
            _ => Ok(()),
        }
    }

    /// Counts one less.
    #[inline]
    pub(super) fn end(&self) {
        self.admission.leave();
        if let Some(Place { local, entry }) = &self.place {
            hold::end(local, *entry, self.admission.options.stage);
        }
    }

    /// Resolves when the layer's stage is told to stop. `None` outside any lifecycle.
    pub(super) fn stopping(&self) -> Option<WaitForCancellationFutureOwned> {
        let life = self.life()?;
        life.tokens.note_given();
        Some(parking::stage_token(life, self.admission.options.stage).cancelled_owned())
    }

    #[inline]
    pub(super) fn is_closing(&self) -> bool {
        self.life().is_some_and(|life| self.admission.is_closing(life))
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.place.as_ref().map(|place| place.entry);
        f.debug_struct("Binding").field("entry", &entry).finish_non_exhaustive()
    }
}
