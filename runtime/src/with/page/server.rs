//! The page on a port of its own, on a thread of this crate: it answers while the program's own threads are blocked, and
//! until the process ends.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::HOST;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{PageBody, answer, refusal};
use crate::life::lifecycle::Lifecycle;
use crate::model::budget::LAST_LINES;
use crate::os::threads;
use crate::say::page as lines;
use crate::work::ambient::Caller;

/// So many connections are open at a time; others wait.
const CONNECTIONS: usize = 32;

/// How long a client may take for the head of its request.
const FOR_A_HEAD: Duration = Duration::from_secs(5);

/// The pause after an `accept` that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// What is written to a connection and not yet taken; a viewer who reads slowly gets later snapshots instead of more.
const BUFFER: usize = 16 * 1024;

/// Serves the page on this port of this machine, `127.0.0.1`; 0 is a port that the system chooses. Returns the address.
///
/// It runs on a thread of this crate, `graceful-page`, and is no worker: the stop does not wait for it. It goes on until
/// the process ends, when viewers get the last of it: for that the end waits 100 ms at the most, and only if there are
/// any. `GET` with any path is the page. Requests for another host than this machine are refused.
///
/// # Errors
///
/// When the port is taken or not allowed, or the system grants no thread. A service that can do without the page goes on.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn serve(port: u16) -> io::Result<SocketAddr> {
    let life = Caller::expect("page::serve()").life;
    start(life, TcpListener::bind((Ipv4Addr::LOCALHOST, port))?)
}

/// The same on a listener of yours, which may be open to others: [`serve`] on an address of your choice, or on a socket
/// that was handed over. Where it listens on more than this machine, requests for any host are answered. There is no
/// authentication.
///
/// # Errors
///
/// When it is no listener that tokio can use, or the system grants no thread.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn serve_on(listener: TcpListener) -> io::Result<SocketAddr> {
    start(Caller::expect("page::serve_on()").life, listener)
}

fn start(life: Arc<Lifecycle>, listener: TcpListener) -> io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let job = life.listeners.viewers.begin_job();
    let is_local = address.ip().is_loopback();
    let run = move || {
        // Of its own: the program's may be blocked.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        if let Err(error) = runtime.and_then(|runtime| runtime.block_on(run(&life, listener, is_local))) {
            life.writer.say(lines::no_page(&error));
        }
        drop((life, job));
    };
    threads::start("graceful-page", Box::new(run))?;
    Ok(address)
}

/// Accepts until the lifecycle is over, and then waits until its viewers have the last of it, for a moment.
async fn run(life: &Arc<Lifecycle>, listener: TcpListener, is_local: bool) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let over = &life.listeners.viewers.over;
    let mut connections = JoinSet::new();
    let open = Arc::new(Semaphore::new(CONNECTIONS));
    let accept = async || {
        let permit = Arc::clone(&open).acquire_owned().await.ok();
        (listener.accept().await, permit)
    };
    while let Some((accepted, permit)) = over.run_until_cancelled(accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let life = Arc::clone(life);
                connections.spawn(async move {
                    connection(&life, stream, is_local).await;
                    drop(permit);
                });
                // Those that have ended are forgotten.
                while connections.try_join_next().is_some() {}
            }
            Err(_) => drop(over.run_until_cancelled(sleep(PAUSE)).await),
        }
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(LAST_LINES, ended).await;
    Ok(())
}

/// One request, and its answer.
async fn connection(life: &Arc<Lifecycle>, stream: TcpStream, is_local: bool) {
    // Events are small and rare.
    let _ = stream.set_nodelay(true);
    let is_asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        is_asked.store(true, Ordering::Relaxed);
        let response = respond(life, &request, is_local);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(FOR_A_HEAD).max_buf_size(BUFFER);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    // An error is the client's: it has gone, or does not speak HTTP.
    let ended = life.listeners.viewers.over.run_until_cancelled(served.as_mut()).await;
    // A client that has asked for nothing is not waited for.
    if ended.is_none() && is_asked.load(Ordering::Relaxed) {
        let _ = served.await;
    }
}

fn respond(life: &Arc<Lifecycle>, request: &Request<Incoming>, is_local: bool) -> Response<PageBody> {
    if is_local && !is_for_this_machine(request) {
        return refusal(StatusCode::MISDIRECTED_REQUEST, "this page is for this machine: ask localhost\n");
    }
    answer(life, request, || {
        let life = Arc::clone(life);
        (Box::pin(async move { life.listeners.viewers.over.cancelled().await }), true)
    })
}

/// A page from elsewhere whose name was made to mean this machine sends that name.
fn is_for_this_machine<B>(request: &Request<B>) -> bool {
    let Some(host) = request.headers().get(HOST) else {
        // Browsers always send one.
        return true;
    };
    let host = host.to_str().ok().and_then(|host| host.parse::<http::uri::Authority>().ok());
    host.is_some_and(|host| {
        let name = host.host().trim_matches(['[', ']']);
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_for_this_machine_are_answered() {
        let asks = |host: &str| is_for_this_machine(&Request::get("/").header(HOST, host).body(()).expect("a request"));
        for host in ["localhost", "LOCALHOST:3001", "127.0.0.1:80", "127.9.9.9", "[::1]:3001"] {
            assert!(asks(host), "{host}");
        }
        for host in ["elsewhere.example", "localhost.elsewhere.example:3001", "10.0.0.1", "127.0.0.1.example", ""] {
            assert!(!asks(host), "{host}");
        }
        assert!(is_for_this_machine(&Request::get("/").body(()).expect("a request")));
    }
}
