//! Ports that stay free while nobody has them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that systems give to outgoing connections: between two processes of an instance the load would take
/// its port.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of this machine, free now and given to nobody else by this process.
pub(crate) fn free() -> SocketAddr {
    let tried = (0..COUNT).map(|_| NEXT.fetch_add(1, Ordering::Relaxed));
    let mut addresses = tried.map(|number| {
        // Another process begins elsewhere.
        let number = (process::id() + u32::from(number)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(number).expect("less than the count");
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    });
    let free = addresses.find(|address| TcpListener::bind(address).is_ok());
    free.expect("a port is free")
}
