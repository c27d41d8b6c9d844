#!/usr/bin/env bash
# h3 0.0.8: `shutdown(0)` of a server tells the client that the request in hand will not be processed, and answers it.
#
# RFC 9114, section 5.2: requests on streams with the identifier in GOAWAY, or a greater one, were not processed and can
# be sent again elsewhere. h3 sends the identifier of the last stream that it has accepted, plus so many requests more:
# with 0, that of the request which is being answered. A client that follows the RFC sends it a second time.
# `shutdown(1)` names the next stream, as one expects of 0.
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   shutdown(0): stream 0 is in hand, GOAWAY says 0, stream 0 is answered
#   shutdown(1): stream 0 is in hand, GOAWAY says 4, stream 0 is answered
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "goaway"
version = "0.1.0"
edition = "2024"

[dependencies]
bytes = "1"
h3 = "=0.0.8"
h3-quinn = "=0.0.10"
http = "1"
quinn = { version = "=0.11.12", default-features = false, features = ["runtime-tokio", "rustls-ring"] }
rcgen = { version = "0.14", default-features = false, features = ["crypto", "ring"] }
rustls = { version = "0.23", default-features = false, features = ["ring", "std"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, RecvStream, ServerConfig};
use rustls::pki_types::PrivateKeyDer;

/// The server: one request, which it has accepted when it begins to shut down.
async fn serve(endpoint: Endpoint, more: usize) {
    let quic = endpoint.accept().await.unwrap().await.unwrap();
    let mut http = h3::server::Connection::<_, Bytes>::new(h3_quinn::Connection::new(quic)).await.unwrap();
    let request = http.accept().await.unwrap().unwrap();
    let (_, mut stream) = request.resolve_request().await.unwrap();
    http.shutdown(more).await.unwrap();
    stream.send_response(http::Response::new(())).await.unwrap();
    stream.finish().await.unwrap();
    let _ = http.accept().await;
    endpoint.wait_idle().await;
}

/// A number of QUIC.
async fn number(stream: &mut RecvStream) -> u64 {
    let mut first = [0];
    stream.read_exact(&mut first).await.unwrap();
    let mut rest = vec![0; (1 << (first[0] >> 6)) - 1];
    stream.read_exact(&mut rest).await.unwrap();
    rest.iter().fold(u64::from(first[0] & 0x3f), |number, byte| number << 8 | u64::from(*byte))
}

async fn try_it(more: usize) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let mut tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.cert.into()], key).unwrap();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let server = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = server.local_addr().unwrap();
    let served = tokio::spawn(serve(server, more));

    let mut tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let mut client = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    client.set_default_client_config(ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap())));
    let quic = client.connect(address, "localhost").unwrap().await.unwrap();
    // The control stream: its type, and an empty SETTINGS.
    let mut control = quic.open_uni().await.unwrap();
    control.write_all(&[0, 4, 0]).await.unwrap();
    // HEADERS of `GET https://localhost/`.
    let (mut request, mut answer) = quic.open_bi().await.unwrap();
    let head = [&[0, 0, 0xd1, 0xd7, 0xc1, 0x50, 9][..], b"localhost"].concat();
    request.write_all(&[&[1, head.len() as u8], &head[..]].concat()).await.unwrap();
    request.finish().unwrap();
    // The server's control stream is the one with the type 0.
    let mut theirs = loop {
        let mut stream = quic.accept_uni().await.unwrap();
        if number(&mut stream).await == 0 {
            break stream;
        }
    };
    let goaway = loop {
        let (kind, length) = (number(&mut theirs).await, number(&mut theirs).await);
        if kind == 7 {
            break number(&mut theirs).await;
        }
        theirs.read_exact(&mut vec![0; usize::try_from(length).unwrap()]).await.unwrap();
    };
    let headers = number(&mut answer).await;
    assert_eq!(headers, 1, "the answer begins");
    println!("shutdown({more}): stream 0 is in hand, GOAWAY says {goaway}, stream 0 is answered");
    quic.close(0x100_u32.into(), b"");
    served.await.unwrap();
}

#[tokio::main]
async fn main() {
    try_it(0).await;
    try_it(1).await;
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "shutdown(0): stream 0 is in hand, GOAWAY says 0, stream 0 is answered
shutdown(1): stream 0 is in hand, GOAWAY says 4, stream 0 is answered" ]] || { echo "that has changed" >&2; exit 1; }
