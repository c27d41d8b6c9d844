//! A service with nothing to do, until a line on its standard input says what: `idles`. Prints `up`, then the address of
//! its port.

use std::io::stdin;
use std::thread;

use axum::Router;
use axum::routing::get;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Ends when it gets an order.
#[graceful::worker]
async fn waits_for(mut orders: UnboundedReceiver<String>) {
    match orders.recv().await.as_deref() {
        Some("end") => {}
        Some("replace") => {
            ctrlc::set_handler(|| println!("the program's own handler")).expect("another handler");
            graceful::stopping().await;
        }
        other => panic!("{other:?}"),
    }
}

#[graceful::worker]
async fn parked() {
    graceful::stopping().await;
}

#[graceful::main]
async fn main() {
    let (sender, orders) = unbounded_channel();
    let worker = waits_for(orders).spawn();
    for _ in 0..100 {
        parked().spawn();
    }
    let listener = graceful::net::listen("http", "127.0.0.1:0").await.expect("a port is free");
    println!("listening on {}", listener.local_addr().expect("it has one"));
    // Outside the runtime: nothing of it waits for standard input.
    thread::spawn(move || {
        for line in stdin().lines() {
            let _ = sender.send(line.expect("it is text"));
        }
    });
    graceful::ready();
    println!("up");
    let app = Router::new().route("/", get(|| async { "hello" }));
    graceful::http::serve(listener, app).await;
    worker.await.expect("it does not fail");
}
