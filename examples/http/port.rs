//! A port: how it is opened, and how it is closed without resetting clients that are just connecting.

use std::env;
use std::error::Error;
use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};

/// How long a client may take to complete a handshake that the kernel has answered.
const ROUND_TRIP: Duration = Duration::from_millis(50);

pub(crate) struct Port {
    listener: TcpListener,
    /// The process that handed it over keeps it open, and hands it to the next process.
    is_handed_over: bool,
}

impl Port {
    /// The port that was handed over, for example by systemd: it stays open from one process to the next. Otherwise
    /// opens one, which only this machine can reach unless `ADDRESS` says otherwise; `variable` is the variable that
    /// chooses another.
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

    /// Serves the connections that the kernel has completed, then closes the port: their clients are connected, and
    /// closing the port first would reset them.
    pub(crate) async fn close(self, mut serve: impl FnMut(TcpStream)) {
        if self.is_handed_over {
            // New connections wait for the next process.
            return;
        }
        // Without the filter, a client can still connect between the last `accept` and the close.
        let _ = drop_syns(&self.listener);
        let end = Instant::now() + ROUND_TRIP;
        while let Ok(Ok(stream)) = timeout_at(end, self.accept()).await {
            serve(stream);
        }
    }
}

/// From now on the kernel answers no SYN, and completes the handshakes it has answered. A client sends its SYN again a
/// second later, and finds the port closed, or the next process.
#[cfg(target_os = "linux")]
fn drop_syns(listener: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    // A program for the kernel's packet filter, see bpf(4) of the BSDs: load a byte; test its bits; return how much of
    // the packet to keep. The byte is that of the flags in TCP's header.
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
fn drop_syns(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
