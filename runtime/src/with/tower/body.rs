//! The body of a response: how far it is.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Method, Response, StatusCode};
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
        // How much the server still takes, where the head says so: it may not ask for an end after that.
        left: u64,
    }
}

/// The head does not say how long the body is.
const UNKNOWN: u64 = u64::MAX;

impl<B: Body> ResponseBody<B> {
    #[inline]
    pub(super) fn of(response: Response<B>, mut in_hand: InHand) -> Response<Self> {
        let (status, body) = (response.status(), response.body());
        let mut left = UNKNOWN;
        in_hand.is_answered = body.is_end_stream() || has_no_body(&in_hand.method, status);
        if !in_hand.is_answered && body.size_hint().exact().is_none() {
            left = length(response.headers());
        }
        response.map(|body| Self { body: Some(body), in_hand: Some(in_hand), left })
    }
}

/// Whether the server sends none, whatever the response has.
#[inline]
fn has_no_body(method: &Method, status: StatusCode) -> bool {
    status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || *method == Method::HEAD
        || *method == Method::CONNECT && status.is_success()
}

#[cold]
fn length(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(UNKNOWN)
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { body: None, in_hand: None, left: 0 }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(mut body) = this.body.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(body.as_mut().poll_frame(context));
        if let Some(in_hand) = this.in_hand {
            if let Some(Ok(frame)) = &frame {
                if let Some(data) = frame.data_ref().filter(|_| *this.left != UNKNOWN) {
                    *this.left = this.left.saturating_sub(data.remaining() as u64);
                }
                in_hand.is_answered = *this.left == 0 || body.is_end_stream();
            } else {
                in_hand.is_answered = true;
                *this.in_hand = None;
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let empty = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(empty, Body::size_hint)
    }
}
