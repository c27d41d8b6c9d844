//! A whole service: what takes in work stops first, what others depend on stops late, health is answered to the end.

use std::env;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use graceful::net::{ListenError, Listener};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

/// Stands for a database pool: cloned freely, closed once.
#[derive(Clone)]
struct Pool;

impl Pool {
    async fn close(self) {
        sleep(Duration::from_millis(20)).await; // its connections
        println!("pool: closed");
    }
}

/// Stands for the guard of a log's writer, which flushes it.
struct LogGuard;

impl Drop for LogGuard {
    fn drop(&mut self) {
        println!("log: flushed");
    }
}

/// A row, and the sender that reports it written.
type Row = (&'static str, oneshot::Sender<()>);

/// Adds a row. Returns when it is written.
async fn add(rows: &mpsc::Sender<Row>, row: &'static str) -> Result<(), &'static str> {
    let (done, written) = oneshot::channel();
    let _ = rows.send((row, done)).await;
    written.await.map_err(|_| "the writer is gone")
}

/// Late: handlers and consumers need it until they are done. It ends when no sender of rows is left.
#[graceful::worker(stop = "late")]
async fn write(_pool: Pool, mut rows: mpsc::Receiver<Row>) {
    let mut batch = Vec::new();
    while rows.recv_many(&mut batch, 100).await > 0 {
        sleep(Duration::from_millis(100)).await; // one INSERT for all of them
        for (_, done) in batch.drain(..) {
            let _ = done.send(());
        }
    }
    println!("write: every row written");
}

/// Early: takes no further message once the stop is asked for. The one in hand is finished.
#[graceful::worker(stop = "early")]
async fn ingest(rows: mpsc::Sender<Row>) -> Result<(), &'static str> {
    let next = || sleep(Duration::from_millis(700)); // stands for a queue
    while graceful::run_until_stopping(next()).await.is_some() {
        add(&rows, "a message").await?;
    }
    println!("ingest: no further message");
    Ok(())
}

/// Restarted, since its server comes and goes. It stops with main, so it goes on during the drain.
#[graceful::worker(on_failure = "restart", backoff = "100ms..10s")]
async fn follow(rows: mpsc::Sender<Row>) -> Result<(), &'static str> {
    for _ in 0..4 {
        let next = sleep(Duration::from_millis(500)); // stands for a feed of changes
        if graceful::run_until_stopping(next).await.is_none() {
            return Ok(());
        }
        add(&rows, "a change").await?;
    }
    Err("connection lost")
}

/// Once a minute, the first time at once. No new round begins during a stop.
#[graceful::worker(every = "60s")]
async fn sweep(_pool: Pool) {
    println!("sweep: done");
}

async fn readyz() -> Result<&'static str, StatusCode> {
    let ready = graceful::is_ready().then_some("ready");
    ready.ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// Last: it answers until all others are gone. Readiness ends as soon as the stop is asked for.
#[graceful::worker(stop = "last")]
async fn health(listener: Listener) {
    let status = async || graceful::status().to_string();
    let app =
        Router::new().route("/livez", get("alive")).route("/readyz", get(readyz)).route("/debug/graceful", get(status));
    graceful::http::serve(listener, app).await;
}

async fn listen(variable: &str, default: &str) -> Result<Listener, ListenError> {
    let address = env::var(variable).unwrap_or_else(|_| default.to_owned());
    let listener = graceful::net::listen(variable, &address).await?;
    if let Some(address) = listener.local_addr() {
        println!("{variable}=http://{address}");
    }
    Ok(listener)
}

#[graceful::main(name = "service", drain = "5s", dump = "SIGUSR1")]
async fn main() -> Result<(), ListenError> {
    graceful::keep(LogGuard);
    let pool = Pool;
    let closing = pool.clone();
    graceful::after_stop("pool", || closing.close());
    health(listen("HEALTH", "127.0.0.1:3001").await?).spawn();

    let (rows, queue) = mpsc::channel(1000);
    write(pool.clone(), queue).spawn();
    ingest(rows.clone()).spawn();
    follow(rows.clone()).spawn();
    sweep(pool).spawn();

    let order = async move || {
        let written = add(&rows, "an order").await;
        written.map_err(|why| (StatusCode::SERVICE_UNAVAILABLE, why))
    };
    let app = Router::new().route("/orders", post(order));
    let listener = listen("ORDERS", "127.0.0.1:3000").await?;
    graceful::ready();
    graceful::http::serve(listener, app).await;
    Ok(())
}
