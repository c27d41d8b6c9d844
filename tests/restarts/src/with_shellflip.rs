//! shellflip: as its example `restarter`, with axum in the place of the echo. It hands no socket over: the example binds
//! another one. Here the next process inherits it, and its number is the state that the last one sends.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::process::ExitCode;

use async_trait::async_trait;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use shellflip::lifecycle::{LifecycleHandler, PipeWriter, receive_from_old_process};
use shellflip::{RestartConfig, ShutdownCoordinator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::service::{QUEUE, app, start_up};

/// The number of the socket, for the next process.
struct Socket(RawFd);

#[async_trait]
impl LifecycleHandler for Socket {
    async fn send_to_new_process(&mut self, mut pipe: PipeWriter) -> io::Result<()> {
        pipe.write_i32(self.0).await
    }
}

async fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = match receive_from_old_process() {
        // SAFETY: the process before this one has sent the number of a socket that is inherited, and nothing else has it.
        Some(mut pipe) => unsafe { TcpListener::from_raw_fd(pipe.read_i32().await?) },
        None => bind(address)?,
    };
    fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(listener)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE.cast_unsigned())?.into_std()
}

#[tokio::main]
pub async fn run(address: SocketAddr) -> ExitCode {
    start_up();
    let listener = listener(address).await.expect("there is a socket");
    let config = RestartConfig { lifecycle_handler: Box::new(Socket(listener.as_raw_fd())), ..Default::default() };
    let restarted = config.try_into_restart_task().expect("the signal can be handled");
    let coordinator = ShutdownCoordinator::new();
    let handle = coordinator.handle();
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    axum::serve(listener, app())
        .with_graceful_shutdown(async {
            if let Err(why) = restarted.await {
                eprintln!("{why}");
            }
            drop(handle);
        })
        .await
        .expect("axum's server returns no error");
    coordinator.shutdown().await;
    ExitCode::SUCCESS
}
