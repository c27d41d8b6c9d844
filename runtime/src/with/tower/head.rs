//! What is kept of the head of a request. It is moved several times, so it is small.

use std::pin::Pin;

use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Version};
use tokio_util::sync::WaitForCancellationFutureOwned as End;

use crate::model::text;

/// The call of gRPC's health service that clients make to hear of each change.
const WATCH: &str = "/grpc.health.v1.Health/Watch";

#[derive(Debug)]
pub(super) struct Head {
    method: Standard,
    version: Version,
    target: Target,
}

/// A method, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standard {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
    /// One that is none of HTTP's own.
    Extension,
}

#[derive(Debug)]
enum Target {
    Path(PathAndQuery),
    /// In a box of its own: each further variant costs every request some instructions.
    Rare(Box<Rare>),
}

#[derive(Debug)]
enum Rare {
    /// That of gRPC's health service whose answer has no end, once it is silent: when it ends all the same.
    Watch(Pin<Box<End>>),
    /// The method, and the path if there is one: for the few requests that have no path, or a method of an extension.
    Other(Box<str>),
}

impl Head {
    #[inline]
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let method = Standard::of(request.method());
        let target = match request.uri().path_and_query() {
            Some(path) if method != Standard::Extension => Target::Path(path.clone()),
            path => Target::other(request.method(), path),
        };
        Self { method, version: request.version(), target }
    }

    /// HTTP/2 has `GOAWAY`; and a tunnel cannot be kept for another request.
    pub(super) fn is_kept(&self) -> bool {
        self.version < Version::HTTP_2 && self.method != Standard::Connect
    }

    /// Whether a response with this status makes the request a tunnel.
    #[inline]
    pub(super) fn becomes_a_tunnel(&self, status: StatusCode) -> bool {
        self.method == Standard::Connect && status.is_success()
    }

    /// Whether it is the call of gRPC's health service whose answer has no end: a status now, and each later one.
    #[inline]
    pub(super) fn is_health_watch(&self) -> bool {
        match &self.target {
            Target::Path(path) => path.as_str() == WATCH,
            Target::Rare(rare) => matches!(**rare, Rare::Watch(_)),
        }
    }

    /// When the answer to that call ends. It is asked for once.
    pub(super) fn watch(&mut self, end: impl FnOnce() -> Option<End>) -> Option<Pin<&mut End>> {
        if matches!(self.target, Target::Path(_)) {
            self.target = Target::Rare(Box::new(Rare::Watch(Box::pin(end()?))));
        }
        let Target::Rare(rare) = &mut self.target else { return None };
        let Rare::Watch(end) = &mut **rare else { return None };
        Some(end.as_mut())
    }

    /// Whether the server sends no body with this status, whatever the response has.
    #[inline]
    pub(super) fn has_no_body(&self, status: StatusCode) -> bool {
        // As most are.
        if status == StatusCode::OK && !matches!(self.method, Standard::Head | Standard::Connect) {
            return false;
        }
        status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || self.method == Standard::Head
            || self.becomes_a_tunnel(status)
    }

    /// `GET /slow`.
    pub(super) fn name(&self) -> String {
        match &self.target {
            Target::Path(path) => text::name(&format!("{} {}", self.method.name(), path.path())),
            Target::Rare(rare) => match &**rare {
                Rare::Watch(_) => text::name(&format!("{} {WATCH}", self.method.name())),
                Rare::Other(name) => text::name(name),
            },
        }
    }
}

impl Target {
    #[cold]
    fn other(method: &Method, path: Option<&PathAndQuery>) -> Self {
        let name = match path {
            Some(path) => format!("{method} {}", path.path()),
            None => method.to_string(),
        };
        Self::Rare(Box::new(Rare::Other(name.into())))
    }
}

impl Standard {
    #[inline]
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::DELETE => Self::Delete,
            Method::CONNECT => Self::Connect,
            Method::OPTIONS => Self::Options,
            Method::TRACE => Self::Trace,
            Method::PATCH => Self::Patch,
            _ => Self::Extension,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Extension => "",
        }
    }
}
