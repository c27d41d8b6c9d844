//! A worker for each connection, which types lines back and finishes the one it is at when the stop comes.

use std::env;
use std::error::Error;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// Returns `()`, not a `Result`: a client that goes away is no failure of the service.
#[graceful::worker]
async fn echo(mut stream: TcpStream) {
    let (reader, mut writer) = stream.split();
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
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}; PORT chooses another"))?;

    let address = listener.local_addr()?;
    println!("listening on {address}");
    println!("in another terminal: nc {} {}", address.ip(), address.port());
    println!("type a line there, and press Ctrl-C here while it comes back");
    graceful::ready();
    while let Some(accepted) = graceful::run_until_stopping(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => drop(echo(stream).spawn()),
            Err(error) => {
                // Out of files, perhaps: connections get a moment to close theirs.
                eprintln!("a connection was not accepted: {error}");
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
    Ok(())
}
