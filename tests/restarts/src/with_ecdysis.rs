//! ecdysis: as its example `tokio_echo`, with axum in the place of the echo.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::serve::Listener;
use ecdysis::tokio_ecdysis::{SignalKind, StopOnShutdown, StoppableStream, TokioEcdysisBuilder};
use futures_util::StreamExt;
use tokio::net::TcpStream;

use crate::service::{QUEUE, app, start_up};

/// What `build_listen_tcp` returns, as axum takes it.
struct Clients<S> {
    stream: StoppableStream<S>,
    address: SocketAddr,
}

impl<S> Listener for Clients<S>
where
    S: futures_util::Stream<Item = io::Result<TcpStream>> + Send + Unpin + 'static,
{
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.stream.next().await {
                Some(Ok(client)) => return (client, self.address),
                Some(Err(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                // Stopped: axum ends by the same event.
                None => std::future::pending().await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

#[tokio::main]
pub async fn run(address: SocketAddr) -> ExitCode {
    start_up();
    let builder = TokioEcdysisBuilder::new(SignalKind::hangup()).expect("the signal can be handled");
    let stream = builder
        .build_listen_tcp(StopOnShutdown::Yes, address, |socket, address| {
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(QUEUE)?;
            Ok(socket.into())
        })
        .expect("the address is free");
    let (_ecdysis, upgraded) = builder.ready().expect("the process before this one is told");
    axum::serve(Clients { stream, address }, app())
        .with_graceful_shutdown(async {
            let _ = upgraded.await;
        })
        .await
        .expect("axum's server returns no error");
    ExitCode::SUCCESS
}
