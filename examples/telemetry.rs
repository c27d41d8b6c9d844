//! Telemetry that loses nothing at a stop: a log, traces by OTLP, reports of errors and metrics, each flushed when nothing
//! comes any more that it could lose.

use std::fs::{self, File};
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, error};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use sentry::{ClientInitGuard, ClientOptions, Envelope, Transport};
use tokio::time::sleep;
use tracing::{info, instrument};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

type Error = Box<dyn error::Error + Send + Sync>;

#[graceful::worker]
async fn work(how: String) {
    let mut number = 0;
    while !graceful::is_stopping() {
        number += 1;
        job(number).await;
    }
    match how.as_str() {
        "panic" => panic!("at the end"),
        "hang" => hang().await,
        _ => {}
    }
}

/// A span, a line and a count, also for the one that is in hand at the stop.
#[instrument]
async fn job(number: u32) {
    println!("job {number}: begins");
    sleep(Duration::from_millis(200)).await;
    metrics::counter!("jobs").increment(1);
    info!("job {number} is done");
}

/// Is aborted when the budget is nearly over. Its span ends then.
#[instrument]
async fn hang() {
    pending().await
}

/// The argument is how the worker ends: `well`, `panic` or `hang`.
#[graceful::main(name = "telemetry", stop_timeout = "20s")]
async fn main() -> Result<(), Error> {
    let folder = env::var_os("TELEMETRY").map_or_else(|| env::temp_dir().join("graceful-telemetry"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    println!("log, errors and metrics are in {}; traces go to OTEL_EXPORTER_OTLP_ENDPOINT", folder.display());

    // The first one kept is dropped last: the others may still have something to say to the log.
    let provider = traces()?;
    graceful::keep(log(File::create(folder.join("log"))?, &provider));
    graceful::keep(errors(File::create(folder.join("errors"))?));
    graceful::keep(Metrics { handle: PrometheusBuilder::new().install_recorder()?, file: folder.join("metrics") });
    // Its connection is a task of the runtime, so it is closed before the runtime is, by a thread beside it. The first
    // hook runs last.
    graceful::after_stop_blocking("traces", move || provider.shutdown());

    work(env::args().nth(1).unwrap_or_default()).spawn();
    graceful::ready();
    println!("press Ctrl-C");
    graceful::stopping().await;
    Ok(())
}

fn traces() -> Result<SdkTracerProvider, Error> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).build())
}

/// A file, written by a thread beside the runtime. In `main` the guard would be gone before the lines of the stop.
fn log(file: File, provider: &SdkTracerProvider) -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking(file);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("telemetry"));
    // Below `info` the exporter's own connection is traced as well, without end.
    tracing_subscriber::registry().with(LevelFilter::INFO).with(lines).with(spans).init();
    guard
}

/// Panics among them; to look up where one was takes seconds in a large debug build. A guard in `main` would be gone before
/// those of workers that outlive it.
fn errors(file: File) -> ClientInitGuard {
    let transport = Arc::new(ToFile(Mutex::new(file)));
    sentry::init(ClientOptions::new().dsn("https://key@localhost/1").transport(transport))
}

/// Stands for the transport over HTTP.
struct ToFile(Mutex<File>);

impl Transport for ToFile {
    fn send_envelope(&self, envelope: Envelope) {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = envelope.to_writer(&*file);
    }
}

/// Written when all is over, those of the lifecycle included, as a collector of text files reads them. Where a server
/// shows them, it is a worker of the stage `last`.
struct Metrics {
    handle: PrometheusHandle,
    file: PathBuf,
}

impl Drop for Metrics {
    fn drop(&mut self) {
        let written: io::Result<()> = fs::write(&self.file, self.handle.render());
        let _ = written.inspect_err(|error| eprintln!("no metrics: {error}"));
    }
}
