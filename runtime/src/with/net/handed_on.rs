//! The sockets that a successor of this process gets, and those that this process has from its predecessor (feature
//! `upgrade`).

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering};

use super::sockets::Socket;
use crate::os::channel::{self, Frame, Kind};
use crate::os::lock::Lock;
use crate::os::sys;

/// The open sockets of this process that have a name.
static OPEN: Lock<Vec<Open>> = Lock::new(Vec::new());

/// The number of the next one.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Those of the predecessor, in its order. This process asks for them by name.
static INHERITED: Lock<Vec<Inherited>> = Lock::new(Vec::new());

/// What kind of socket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Type {
    Tcp = b't',
    Unix = b'u',
    Udp = b'd',
}

struct Open {
    id: u64,
    number: RawFd,
    frame: Vec<u8>,
    /// Set when the last successor got it.
    is_handed_on: bool,
}

/// While it lives, the socket is one that a successor gets: that with this number in the list.
#[derive(Debug)]
pub(super) struct Registered(u64);

impl Registered {
    pub(super) fn is_handed_on(&self) -> bool {
        OPEN.lock().iter().any(|open| open.id == self.0 && open.is_handed_on)
    }
}

/// When this returns, its number is used no more: the socket can be closed.
impl Drop for Registered {
    fn drop(&mut self) {
        OPEN.lock().retain(|open| open.id != self.0);
    }
}

/// `is_kept`: another process than a predecessor keeps it open, such as systemd.
pub(super) fn register(number: RawFd, kind: Type, name: &str, address: &str, is_kept: bool) -> Registered {
    let about = [kind as u8, u8::from(is_kept)];
    let frame = channel::frame(Kind::Socket, &[&about, name.as_bytes(), address.as_bytes()]);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    OPEN.lock().push(Open { id, number, frame, is_handed_on: false });
    Registered(id)
}

/// How far the sockets were sent.
#[derive(Debug, Default)]
pub(crate) struct Sent(Option<u64>);

/// Another successor has none of them yet.
pub(crate) fn begin() -> Sent {
    for open in &mut *OPEN.lock() {
        open.is_handed_on = false;
    }
    Sent::default()
}

/// Whether a successor gets any.
pub(crate) fn has_any() -> bool {
    !OPEN.lock().is_empty()
}

/// Sends the next one. `Ok(None)`: all are sent; `Ok(Some(false))`: there is no room now.
pub(crate) fn send_next(channel: &UnixStream, sent: &mut Sent) -> io::Result<Option<bool>> {
    // Locked meanwhile, so that its number is its own.
    let mut open = OPEN.lock();
    let Some(next) = open.iter_mut().find(|open| sent.0.is_none_or(|last| open.id > last)) else {
        return Ok(None);
    };
    let has_room = channel::send_with(channel, &next.frame, next.number)?;
    if has_room {
        next.is_handed_on = true;
        sent.0 = Some(next.id);
    }
    Ok(Some(has_room))
}

struct Inherited {
    kind: Type,
    is_kept: bool,
    name: String,
    address: String,
    socket: OwnedFd,
}

/// A socket from the predecessor.
pub(crate) fn inherit(frame: Frame) -> Option<()> {
    let [about, name, address] = frame.parts::<3>()?;
    let [kind, is_kept] = *about else { return None };
    let kind = [Type::Tcp, Type::Unix, Type::Udp].into_iter().find(|one| *one as u8 == kind)?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (name, address) = (text(name), text(address));
    let one = Inherited { kind, is_kept: is_kept != 0, name, address, socket: frame.file? };
    INHERITED.lock().push(one);
    Some(())
}

/// The predecessor's socket of this name, if one is left that fits: one that another process keeps open has the address
/// that this process says; another one has the address that is asked for, be it in other words.
fn take(name: &str, address: &str, kinds: &[Type]) -> Option<Inherited> {
    let mut all = INHERITED.lock();
    let is_named = |one: &Inherited| one.name == name || one.name.is_empty();
    let fits = |one: &Inherited| {
        kinds.contains(&one.kind) && is_named(one) && (one.is_kept || one.address == address || one.is_at(address))
    };
    let at = all.iter().position(fits)?;
    Some(all.remove(at))
}

impl Inherited {
    fn is_at(&self, address: &str) -> bool {
        use std::net::ToSocketAddrs;

        let own = self.local_addr();
        own.is_some_and(|own| address.to_socket_addrs().is_ok_and(|mut all| all.any(|one| one == own)))
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        let socket = self.socket.try_clone().ok()?;
        TcpListener::from(socket).local_addr().ok()
    }
}

/// A listener of the predecessor's.
pub(super) fn take_listener(name: &str, address: &str) -> io::Result<Option<Socket>> {
    let Some(one) = take(name, address, &[Type::Tcp, Type::Unix]) else {
        return Ok(None);
    };
    // The kernel says whether it is what the predecessor says.
    if !sys::is_listening(one.socket.as_fd()) {
        return Err(io::Error::other("what the process before this one handed over does not listen"));
    }
    let mut socket = match one.kind {
        Type::Tcp => Socket::inherited(TcpListener::from(one.socket), one.is_kept)?,
        _ => Socket::inherited_unix(UnixListener::from(one.socket), one.is_kept)?,
    };
    socket.is_inherited = true;
    Ok(Some(socket))
}

/// A UDP socket of the predecessor's, and whether another process keeps it open.
pub(super) fn take_udp(name: &str, address: &str) -> Option<(UdpSocket, bool)> {
    take(name, address, &[Type::Udp]).map(|one| (UdpSocket::from(one.socket), one.is_kept))
}

/// A socket that was closed because nobody asked for it.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) name: String,
    pub(crate) address: String,
}

/// Closes what this process has not asked for.
pub(crate) fn close_unclaimed() -> Vec<Notice> {
    let unclaimed = std::mem::take(&mut *INHERITED.lock());
    let notice = |one: Inherited| {
        let address = one.local_addr().map_or(one.address, |address| address.to_string());
        Notice { name: one.name, address }
    };
    unclaimed.into_iter().map(notice).collect()
}
