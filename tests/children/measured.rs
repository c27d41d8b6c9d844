//! A service with a recorder of metrics, of which it prints at its end what the recorder was told.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::Notify;

#[graceful::main(stop_timeout = "5s")]
async fn main() {
    let recorder = PrometheusBuilder::new().install_recorder();
    graceful::keep(Printed(recorder.expect("it is the first")));
    graceful::before_stop("deregister", || async { Err::<(), _>("no registry") });
    graceful::after_stop("pool", || async {});
    for _ in 0..3 {
        done().spawn();
    }
    let again = Arc::new(Notify::new());
    flaky(Arc::clone(&again)).spawn();
    ignores().spawn();
    again.notified().await;
    println!("up");
    graceful::stopping().await;
}

#[graceful::worker]
async fn done() {}

#[graceful::worker(on_failure = "restart", backoff = "1ms..1ms")]
async fn flaky(again: Arc<Notify>) -> Result<(), &'static str> {
    static RAN: AtomicBool = AtomicBool::new(false);
    if !RAN.swap(true, Ordering::Relaxed) {
        return Err("not yet");
    }
    again.notify_one();
    graceful::stopping().await;
    Ok(())
}

#[graceful::worker(stop_timeout = "50ms")]
async fn ignores() {
    graceful::progress();
    pending::<()>().await;
}

/// Prints everything when it is dropped: nothing changes any more, and the recorder has been told.
struct Printed(PrometheusHandle);

impl Drop for Printed {
    fn drop(&mut self) {
        print!("{}", self.0.render());
    }
}
