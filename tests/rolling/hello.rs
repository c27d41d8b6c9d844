//! The same app behind two servers: `axum::serve`, and `graceful::http::serve`.

use std::env;
use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

fn app() -> Router {
    Router::new().route("/", get(async || "hello\n"))
}

async fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("listening on {}", listener.local_addr().expect("it is bound"));
    listener
}

async fn by_axum() {
    let terminated = async {
        let sigterm = signal(SignalKind::terminate());
        sigterm.expect("it can be handled").recv().await;
    };
    axum::serve(listen().await, app()).with_graceful_shutdown(terminated).await.expect("it serves");
}

#[graceful::main(worker_threads = 1)]
async fn by_graceful() {
    graceful::http::serve(listen().await, app()).await;
}

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some("graceful") {
        return by_graceful();
    }
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(by_axum());
    ExitCode::SUCCESS
}
