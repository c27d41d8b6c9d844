//! Spans by OTLP over gRPC: `otlp <collector> <flavour> <way to flush>`.

use std::env::args;
use std::process::ExitCode;
use std::time::Duration;

use graceful::Builder;
use opentelemetry::global;
use opentelemetry::trace::Tracer;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::trace::SdkTracerProvider;

fn main() -> ExitCode {
    let builder = Builder::new().stop_timeout(Duration::from_secs(8));
    let builder = match args().nth(2).as_deref() {
        Some("current_thread") => builder.current_thread(),
        _ => builder.worker_threads(1),
    };
    builder.block_on(run())
}

async fn run() {
    let collector = args().nth(1).expect("the address of a collector");
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(collector).build();
    let exporter = exporter.expect("an exporter");
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    global::set_tracer_provider(provider.clone());
    graceful::spawn("work", work());
    match args().nth(3).as_deref().expect("a way") {
        "none" => {}
        "keep" => graceful::keep(ShutDown(provider)),
        "hook" => graceful::after_stop("traces", async move || provider.shutdown()),
        "blocking hook" => graceful::after_stop_blocking("traces", move || provider.shutdown()),
        // The result of the task is the hook's, and `Ok` whatever the one in it is.
        "hook that spawns" => {
            graceful::after_stop("traces", || tokio::task::spawn_blocking(move || Err::<(), _>("a failed export")));
        }
        other => panic!("no way {other}"),
    }
    println!("up");
    graceful::stopping().await;
}

/// Its last span ends when it is told to stop.
async fn work() {
    let last = global::tracer("work").start("last");
    graceful::stopping().await;
    drop(last);
}

/// Flushes when dropped.
struct ShutDown(SdkTracerProvider);

impl Drop for ShutDown {
    fn drop(&mut self) {
        println!("shutdown() says {:?}", self.0.shutdown());
    }
}
