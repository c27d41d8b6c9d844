//! A stop that takes its time, to be looked at: `GRACEFUL_TIMELINE=stop.svg` draws it, and while it runs the page shows it.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

/// Pulls work, and finishes what it has begun.
#[graceful::worker(stop = "early")]
async fn consume() {
    while graceful::run_until_stopping(sleep(Duration::from_millis(20))).await.is_some() {
        // A job in hand is finished.
        sleep(Duration::from_millis(400)).await;
    }
}

/// Serves those who are there, a client for each connection.
#[graceful::worker]
async fn serve() {
    for client in 1..=4 {
        connection(client).spawn();
    }
    graceful::stopping().await;
}

#[graceful::worker]
async fn connection(client: u32) {
    graceful::stopping().await;
    sleep(Duration::from_millis(150) * client).await;
}

/// Writes what the others have left. It is what this stop waits for.
#[graceful::worker(stop = "late")]
async fn write_batches() {
    graceful::stopping().await;
    sleep(Duration::from_millis(1400)).await;
}

#[graceful::main(name = "orders", stop_timeout = "10s")]
async fn main() -> io::Result<()> {
    let page = graceful::page::serve(0)?;
    println!("the page is at http://{page}/");
    for _ in 0..3 {
        consume().spawn();
    }
    serve().spawn();
    write_batches().spawn();
    graceful::before_stop("leave the registry", || sleep(Duration::from_millis(500)));
    graceful::on_stop("close the port", || sleep(Duration::from_millis(60)));
    graceful::after_stop("close the pool", || sleep(Duration::from_millis(250)));
    graceful::ready();
    println!("press Ctrl-C, or wait: it stops by itself after 30 s");
    if graceful::run_until_stopping(sleep(Duration::from_secs(30))).await.is_some() {
        graceful::stop();
    }
    graceful::stopping().await;
    Ok(())
}
