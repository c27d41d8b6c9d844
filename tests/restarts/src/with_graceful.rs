//! This crate: upgraded by SIGUSR2; stopped by SIGTERM, and started anew with or without a socket from systemd.

use std::net::SocketAddr;

use graceful::net::ListenError;

use crate::service::{app, start_up};

/// As on the page `which_restart_for_whom`.
#[graceful::main(name = "http", upgrade = "SIGUSR2", upgrade_timeout = "30s")]
pub async fn run(address: SocketAddr) -> Result<(), ListenError> {
    start_up();
    let listener = graceful::listen("http", &address.to_string()).await?;
    graceful::ready();
    graceful::http::serve(listener, app()).await;
    Ok(())
}
