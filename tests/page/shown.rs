//! A service to look at. Lines on its standard input say what happens: `block`, `stop`, `many`.

use std::env::args;
use std::io::stdin;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use graceful::page;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;

/// A name that would be markup, if names were.
const MARKUP: &str = "<img src=x onerror=\"document.title='owned'\"></script><b>bold";

fn main() -> ExitCode {
    match args().nth(1).as_deref() {
        Some("current_thread") => on_one_thread(),
        _ => on_worker_threads(),
    }
}

#[graceful::main(name = "orders", stop_timeout = "8s", worker_threads = 2)]
async fn on_worker_threads() {
    run().await;
}

#[graceful::main(name = "orders", stop_timeout = "8s", flavor = "current_thread")]
async fn on_one_thread() {
    run().await;
}

async fn run() {
    // Dropped last of all: what the timeline is compared with.
    graceful::keep(Said);
    let orders = orders();
    if args().nth(2).as_deref() == Some("mounted") {
        mounted().spawn();
    } else {
        let address = page::serve(0).expect("a free port");
        println!("page on http://{address}/");
    }
    consumers().spawn();
    fails().spawn();
    flush().spawn();
    import().spawn();
    graceful::spawn(MARKUP, graceful::stopping());
    graceful::before_stop("deregister", || sleep(Duration::from_millis(300)));
    graceful::on_stop("close <b>the</b> doors", || async { Err::<(), _>("the doors <i>stick</i>") });
    graceful::after_stop("close the pool", || sleep(Duration::from_millis(400)));
    let _upload = graceful::hold("upload");
    graceful::ready();
    println!("up");
    obey(orders).spawn();
    graceful::stopping().await;
}

/// The last status there is.
struct Said;

impl Drop for Said {
    fn drop(&mut self) {
        println!("status: {}", serde_json::to_string(&graceful::status()).unwrap_or_default());
    }
}

/// The lines of the standard input.
fn orders() -> UnboundedReceiver<String> {
    let (give, orders) = unbounded_channel();
    thread::spawn(move || stdin().lines().map_while(Result::ok).all(|line| give.send(line).is_ok()));
    orders
}

#[graceful::worker]
async fn obey(mut orders: UnboundedReceiver<String>) {
    while let Some(order) = graceful::run_until_stopping(orders.recv()).await.flatten() {
        match order.as_str() {
            "block" => drop(blocks().spawn()),
            "many" => (0..10_000).for_each(|_| drop(waits().spawn())),
            "named" => (0..10_000).for_each(|i| drop(graceful::spawn(&format!("client {i}"), graceful::stopping()))),
            _ => graceful::stop(),
        }
        println!("done: {order}");
    }
}

/// The page where a service puts it that has a server anyway.
#[graceful::worker(stop = "last")]
async fn mounted() {
    let app = axum::Router::new().route_service("/debug/graceful", page::Page::new());
    let listener = graceful::net::listen("http", "127.0.0.1:0").await.expect("a free port");
    println!("page on http://{}/debug/graceful", listener.local_addr().expect("it has one"));
    graceful::http::serve(listener, app).await;
}

/// Blocks its thread.
#[graceful::worker]
async fn blocks() {
    println!("it blocks");
    thread::sleep(Duration::from_secs(600));
}

#[graceful::worker]
async fn waits() {
    graceful::stopping().await;
}

#[graceful::worker(stop = "early")]
async fn consumers() {
    for _ in 0..3 {
        consume().spawn();
    }
    graceful::stopping().await;
}

#[graceful::worker]
async fn consume() {
    graceful::stopping().await;
    sleep(Duration::from_millis(200)).await;
}

#[graceful::worker(on_failure = "restart", backoff = "200ms..2s")]
async fn fails() -> Result<(), &'static str> {
    if graceful::run_until_stopping(sleep(Duration::from_millis(300))).await.is_none() {
        return Ok(());
    }
    Err("no route to <b>host</b>")
}

/// What the stop waits for longest.
#[graceful::worker(stop = "late")]
async fn flush() {
    graceful::stopping().await;
    sleep(Duration::from_millis(2500)).await;
}

/// It does work at every moment.
#[graceful::worker(every = "1s")]
async fn import() {}
