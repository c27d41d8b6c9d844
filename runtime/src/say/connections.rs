//! The lines about listeners and connections.

#[cfg(feature = "net")]
use std::io;

use crate::say::line::Line;

/// `cannot listen on 127.0.0.1:3000 (http): the address is in use: …`.
#[cfg(feature = "net")]
pub(crate) fn cannot_listen(socket: &str, address: &str, error: &io::Error) -> String {
    let port = address.rsplit_once(':').map_or("", |(_, port)| port);
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "the address is in use: end the process that has it (`ss -ltnp 'sport = :{port}'` names it), or choose \
             another port"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "{error}: ports below 1024 are for privileged processes; choose another port, or grant \
             CAP_NET_BIND_SERVICE"
        ),
        io::ErrorKind::AddrNotAvailable => format!("{error}: no interface of this machine has this address"),
        io::ErrorKind::InvalidInput => format!("{error}: an address is written as 127.0.0.1:3000 or [::1]:3000"),
        _ => error.to_string(),
    };
    format!("cannot listen on {address} ({socket}): {why}")
}

#[cfg(feature = "net")]
pub(crate) fn cannot_accept(error: &io::Error) -> Line {
    Line::warn(format!("cannot accept connections: {error}; clients wait, and it is tried again until it works"))
}

/// `cut off: 2 requests (GET /slow), 1 connection (sending the head of a request)`.
#[cfg(all(feature = "http", not(feature = "axum")))]
pub(crate) fn router_is_not_known() -> Line {
    Line::warn(
        "axum's Router is served without the feature `axum` of this crate: its layers, limits among them, are made \
         anew for each request; enable the feature",
    )
}

#[cfg(feature = "tower")]
pub(crate) fn cut_off(what: &str) -> Line {
    Line::warn(format!("cut off: {what}"))
}
