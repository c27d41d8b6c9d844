//! The body of an answer: a text, or events as long as somebody looks.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::life::lifecycle::Lifecycle;
use crate::with::page::snapshot;

/// The time from a sample to the event that follows: a poll that goes on meanwhile blocks its thread.
const SAMPLED: Duration = Duration::from_millis(100);

/// The body of a [`Page`](super::Page)'s answer. That of the page's event stream sends a snapshot once a second while it
/// is polled, and ends by itself: it holds no task, and a server that does not poll it costs nothing.
pub struct PageBody(Kind);

enum Kind {
    Text(Option<Bytes>),
    Events(Box<Events>),
}

/// Resolves when the stream has to end.
pub(super) type Ends = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Events {
    life: Arc<Lifecycle>,
    ends: Ends,
    /// Whether nothing follows for anyone when it ends.
    is_last: bool,
    next: Next,
    has_ended: bool,
}

/// What comes next, and when.
enum Next {
    /// The first event, at once.
    First,
    Sample(Pin<Box<Sleep>>),
    Event(Pin<Box<Sleep>>),
}

impl PageBody {
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self(Kind::Text(Some(text.into()).filter(|text| !text.is_empty())))
    }

    /// `is_last`: when the stream ends, the lifecycle is over.
    pub(super) fn events(life: Arc<Lifecycle>, ends: Ends, is_last: bool) -> Self {
        Self(Kind::Events(Box::new(Events { life, ends, is_last, next: Next::First, has_ended: false })))
    }
}

impl Events {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if self.ends.as_mut().poll(context).is_ready() {
            self.has_ended = true;
            return Poll::Ready(Some(event("end", &snapshot::last(&self.life, self.is_last))));
        }
        loop {
            match &mut self.next {
                Next::First => {
                    snapshot::sample(&self.life);
                    // What blocks right now is known soon.
                    self.next = Next::Event(Box::pin(sleep(SAMPLED)));
                    return Poll::Ready(Some(event("message", &snapshot::snapshot(&self.life))));
                }
                Next::Sample(pause) => {
                    ready!(pause.as_mut().poll(context));
                    snapshot::sample(&self.life);
                    self.next = Next::Event(Box::pin(sleep(SAMPLED)));
                }
                Next::Event(pause) => {
                    ready!(pause.as_mut().poll(context));
                    let text = snapshot::snapshot(&self.life);
                    self.next = Next::Sample(Box::pin(sleep(snapshot::pause(&self.life))));
                    return Poll::Ready(Some(event("message", &text)));
                }
            }
        }
    }
}

/// An event, as the HTML standard has it. JSON has no line breaks.
pub(super) fn event(kind: &str, json: &str) -> String {
    format!("retry: 1000\nevent: {kind}\ndata: {json}\n\n")
}

impl http_body::Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut self.0 {
            Kind::Text(text) => text.take(),
            Kind::Events(events) => ready!(events.poll_next(context)).map(Bytes::from),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Text(text) => text.is_none(),
            Kind::Events(events) => events.has_ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Events(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for PageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageBody").finish_non_exhaustive()
    }
}
