//! actix-web, which listens for signals itself unless it is told for what to listen.

use std::env;
use std::time::Duration;

use actix_web::rt::System;
use actix_web::{App, HttpServer, web};
use nix::sys::signal::{Signal, raise};
use tokio::task::LocalSet;
use tokio::time::sleep;

async fn slow() -> &'static str {
    println!("in hand");
    sleep(Duration::from_secs(1)).await;
    "slow\n"
}

#[graceful::main]
async fn main() -> std::io::Result<()> {
    let mode = env::args().nth(1).unwrap_or_default();
    match &*mode {
        "spawn" => drop(actix_web::rt::spawn(async {})),
        "spawn in a local set" => {
            LocalSet::new().run_until(async { actix_web::rt::spawn(async { println!("spawned") }).await }).await?;
        }
        "spawn in a system" => {
            let work = || System::new().block_on(async { actix_web::rt::spawn(async { println!("spawned") }).await });
            graceful::spawn_blocking("system", work).await.map_err(std::io::Error::other)?;
        }
        _ => return serve(&mode).await,
    }
    Ok(())
}

async fn serve(mode: &str) -> std::io::Result<()> {
    let app = || App::new().route("/", web::get().to(async || "hello\n")).route("/slow", web::get().to(slow));
    let server = HttpServer::new(app).workers(1).bind("127.0.0.1:0")?;
    println!("listening on {}", server.addrs()[0]);
    graceful::ready();
    if mode.ends_with("early") {
        // As a signal that comes while the program starts.
        raise(Signal::SIGTERM)?;
    }
    if mode.starts_with("told") { server.shutdown_signal(graceful::stopping()).run().await } else { server.run().await }
}
