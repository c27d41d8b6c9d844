#!/usr/bin/env bash
# opentelemetry_sdk 0.33.1: `SdkTracerProvider::shutdown()` is `Ok(())` though the last batch could not be exported.
#
# With a batch exporter the spans that are left are exported during the shutdown. If that fails, as where no collector
# listens, the shutdown says `Ok(())`; so a program cannot know that its last spans are lost. `force_flush()` before it
# returns the exporter's error.
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   force_flush() says an error
#   shutdown() says Ok(())
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "exported"
version = "0.1.0"
edition = "2024"

[dependencies]
opentelemetry = { version = "=0.33.1", default-features = false, features = ["trace"] }
opentelemetry-otlp = { version = "=0.33.1", default-features = false, features = ["grpc-tonic", "trace"] }
opentelemetry_sdk = { version = "=0.33.1", default-features = false, features = ["trace"] }
tokio = { version = "1.54", features = ["macros", "rt-multi-thread"] }
TOML
cat >src/main.rs <<'RUST'
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// A provider with one span that has ended, and a collector that is not there.
fn with_a_span() -> SdkTracerProvider {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(format!("http://{address}"));
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter.build().unwrap()).build();
    drop(provider.tracer("tracer").start("span"));
    provider
}

#[tokio::main]
async fn main() {
    let flushed = with_a_span().force_flush();
    println!("force_flush() says {}", flushed.map_or("an error".to_owned(), |ok| format!("Ok({ok:?})")));
    println!("shutdown() says {:?}", with_a_span().shutdown());
}
RUST
seen="$(cargo run --quiet 2>/dev/null)"
printf '%s\n' "$seen"
[[ "$seen" == "force_flush() says an error
shutdown() says Ok(())" ]] || { echo "that has changed" >&2; exit 1; }
