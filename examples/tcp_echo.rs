//! A worker for each connection, which types lines back and finishes the one it is at when the stop comes.

use std::env;
use std::time::Duration;

use graceful::net::{ListenError, Stream};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::sleep;

/// Returns `()`, not a `Result`: a client that goes away is no failure of the service.
#[graceful::worker]
async fn echo(stream: Stream) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    // A stop ends the wait for a line, but not the typing.
    while let Some(Ok(Some(line))) = graceful::run_until_stopping(lines.next_line()).await {
        for byte in line.bytes().chain([b'\n']) {
            if writer.write_u8(byte).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[graceful::main(name = "echo", stop_timeout = "20s")]
async fn main() -> Result<(), ListenError> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let mut listener = graceful::net::listen("echo", &address).await?.max_connections(1000);
    if let Some(address) = listener.local_addr() {
        println!("listening on {address}");
        println!("in another terminal: nc {} {}", address.ip(), address.port());
    }
    println!("type a line there, and press Ctrl-C here while it comes back");
    graceful::ready();
    while let Some(stream) = listener.accept().await {
        echo(stream).spawn();
    }
    Ok(())
}
