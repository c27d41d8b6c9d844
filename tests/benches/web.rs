//! A service of `tower` that answers at once, and a client without a network.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::pin::pin;
use std::task::{Context, Poll};

use http::{Request, Response, Uri};
use http_body::Body;
use tower_service::Service;

/// Answers at once.
#[derive(Clone, Debug)]
pub struct Hello;

impl Service<Request<()>> for Hello {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new("hello".to_owned())))
    }
}

/// Asks so often, and reads each answer to its end.
pub async fn ask<S, B>(mut service: S, n: usize)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body,
{
    for _ in 0..n {
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_static("/hello");
        let Ok(()) = poll_fn(|context| service.poll_ready(context)).await;
        let Ok(answer) = service.call(request).await;
        let mut body = pin!(answer.into_body());
        while poll_fn(|context| body.as_mut().poll_frame(context)).await.is_some() {}
    }
}
