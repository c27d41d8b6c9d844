//! A new version takes the place of the old one while clients are served: `kill -USR2`, or `systemctl reload`.

#![cfg_attr(not(unix), allow(unused_imports))]

use std::env;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;
use graceful::net::ListenError;
use tokio::time::{Duration, sleep};

#[cfg(unix)]
#[graceful::main(name = "hello", upgrade = "SIGUSR2", upgrade_timeout = "30s", stop_timeout = "60s")]
async fn main() -> Result<(), ListenError> {
    // How many requests all processes of this service have answered.
    let answered = Arc::new(AtomicU64::new(from_the_last_process()));
    let count = Arc::clone(&answered);
    graceful::hand_over("answered", move || count.load(Ordering::Relaxed).to_le_bytes().to_vec());

    let app = Router::new()
        .route(
            "/",
            get(async move || {
                let count = answered.fetch_add(1, Ordering::Relaxed) + 1;
                format!("process {}, answer {count}\n", process::id())
            }),
        )
        .route(
            "/slow",
            get(async || {
                sleep(Duration::from_secs(10)).await; // it ends in the process in which it has begun
                format!("process {}\n", process::id())
            }),
        );

    let port = env::args().nth(1).unwrap_or_else(|| "3000".to_owned());
    let listener = graceful::listen("http", &format!("127.0.0.1:{port}")).await?;
    if let Some(address) = listener.local_addr() {
        println!("http://{address} is served by {0}; for the next version: kill -USR2 {0}", process::id());
    }
    // From here on the process before this one stops.
    graceful::ready();
    graceful::http::serve(listener, app).await;
    Ok(())
}

#[cfg(unix)]
fn from_the_last_process() -> u64 {
    let bytes = graceful::handed_over("answered").unwrap_or_default();
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

#[cfg(not(unix))]
fn main() {
    eprintln!("a process hands its sockets to the next version on Unix only");
}
