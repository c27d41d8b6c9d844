//! A port, how it is opened, and how it is closed without a reset for those who are just being let in.

use std::env;
use std::error::Error;
use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};

/// How long the other side may take to complete a connection that the kernel has begun to let in.
const ROUND_TRIP: Duration = Duration::from_millis(50);

pub(crate) struct Port {
    listener: TcpListener,
    /// Whoever handed it over keeps it open, and gives it to the next process.
    is_handed_over: bool,
}

impl Port {
    /// What was handed over, by systemd for one: a port that stays open from one process to the next. Or else a port,
    /// which only this machine can reach, unless `ADDRESS` says otherwise; `variable` is where people can choose
    /// another.
    pub(crate) async fn open(
        handed_over: Option<net::TcpListener>,
        port: &str,
        variable: &str,
    ) -> Result<Self, Box<dyn Error>> {
        if let Some(listener) = handed_over {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            return Ok(Self { listener, is_handed_over: true });
        }
        let address = env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1".to_owned());
        let address = format!("{address}:{port}");
        let listener = TcpListener::bind(&address).await;
        let cannot = |error| format!("cannot listen on {address}: {error}; {variable} chooses another");
        Ok(Self { listener: listener.map_err(cannot)?, is_handed_over: false })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.listener.accept().await?;
        Ok(stream)
    }

    /// Closes it, and hands out everybody whom the kernel has let in before: for them they are connected, and to close
    /// the port on them resets them.
    pub(crate) async fn close(self, mut serve: impl FnMut(TcpStream)) {
        if self.is_handed_over {
            // They wait for the next process.
            return;
        }
        // Where that is not to be had, somebody can still come between the last look and the end.
        let _ = let_nobody_begin(&self.listener);
        let end = Instant::now() + ROUND_TRIP;
        while let Ok(Ok(stream)) = timeout_at(end, self.accept()).await {
            serve(stream);
        }
    }
}

/// From now on the kernel leaves unanswered who asks to be let in, and lets in whom it has answered. Those who ask will
/// ask again, a second later, and find the port closed, or the next process.
#[cfg(target_os = "linux")]
fn let_nobody_begin(listener: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    // A program for the kernel's packet filter, see bpf(4) of the BSDs: load a byte; test its bits; return how much of
    // the packet is let through. The byte is that of the flags in TCP's header.
    const LOAD_BYTE: u16 = 0x30;
    const TEST_BITS: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(TEST_BITS, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

#[cfg(not(target_os = "linux"))]
fn let_nobody_begin(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
