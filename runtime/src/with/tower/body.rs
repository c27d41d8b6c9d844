//! The body of a response: how far it is.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::in_hand::InHand;

pin_project! {
    /// The body of a response: while it lasts, the request is in hand. That of a refusal is empty.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        body: Option<B>,
        // Released when the body has ended.
        in_hand: Option<InHand>,
    }
}

impl<B> ResponseBody<B> {
    #[inline]
    pub(super) fn new(body: B, in_hand: Option<InHand>) -> Self {
        Self { body: Some(body), in_hand }
    }
}

/// What a body gives when it is polled.
type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

impl<B: Body> ResponseBody<B> {
    /// There is no frame at the moment, and perhaps there should be none any more.
    #[cold]
    fn poll_silent(self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled<B> {
        let mut this = self.project();
        let Some(trailers) = this.in_hand.as_mut().and_then(|in_hand| in_hand.last_words(context)) else {
            return Poll::Pending;
        };
        if let Some(mut in_hand) = this.in_hand.take() {
            in_hand.end();
        }
        this.body.set(None);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { body: None, in_hand: None }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled<B> {
        let this = self.as_mut().project();
        let Some(mut body) = this.body.as_pin_mut() else {
            return Poll::Ready(None);
        };
        // A frame is large: it is looked at, and moved once.
        let polled = body.as_mut().poll_frame(context);
        if let (Poll::Ready(frame), Some(in_hand)) = (&polled, &mut *this.in_hand) {
            if let Some(Ok(frame)) = frame {
                in_hand.send(frame, body.is_end_stream());
            } else {
                in_hand.end();
                *this.in_hand = None;
            }
        }
        if polled.is_pending() {
            return self.poll_silent(context);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let empty = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(empty, Body::size_hint)
    }
}
