#!/usr/bin/env bash
# sd-notify 0.5.0: a service manager that names an abstract socket in NOTIFY_SOCKET gets no notification.
#
# sd_notify(3) allows both a path and, after an `@`, the name of an abstract socket, which some managers and most test
# harnesses use since no file has to be removed. `sd_notify::notify` takes the `@` for a part of a file name: with a path
# the message arrives, with an abstract name the call is `Err(NotFound)`, so a `Type=notify` service is never ready.
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   path: Ok(()), the manager has received READY=1
#   abstract: Err(NotFound), the manager has received nothing
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "notified"
version = "0.1.0"
edition = "2024"

[dependencies]
sd-notify = "=0.5.0"
TOML
cat >src/main.rs <<'RUST'
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// What the manager hears from a service that has this name of the socket.
fn try_it(kind: &str, address: &SocketAddr, name: &str) {
    let manager = UnixDatagram::bind_addr(address).unwrap();
    manager.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // SAFETY: the program has one thread.
    unsafe { std::env::set_var("NOTIFY_SOCKET", name) };
    let told = sd_notify::notify(&[NotifyState::Ready]).map_err(|error| error.kind());
    let mut message = [0; 100];
    let received = manager.recv(&mut message).map(|length| String::from_utf8_lossy(&message[..length]).into_owned());
    let received = received.map_or_else(|_| "nothing".to_owned(), |text| text.trim_end().to_owned());
    println!("{kind}: {told:?}, the manager has received {received}");
}

fn main() {
    let path = std::env::current_dir().unwrap().join("socket");
    try_it("path", &SocketAddr::from_pathname(&path).unwrap(), path.to_str().unwrap());
    let name = format!("notified-{}", std::process::id());
    try_it("abstract", &SocketAddr::from_abstract_name(&name).unwrap(), &format!("@{name}"));
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "path: Ok(()), the manager has received READY=1
abstract: Err(NotFound), the manager has received nothing" ]] || { echo "that has changed" >&2; exit 1; }
