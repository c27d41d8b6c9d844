//! HTTP/3 with quinn and h3: a client that stays connected. `quic CERTIFICATE ADDRESS` is that client.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h3::server::RequestResolver;
use h3_quinn::Connection as Quic;
use hyper::{Request, Response};
use quinn::{Endpoint, VarInt};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::{sleep, timeout};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// HTTP/3's code for an end without an error.
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// How long a client may stay once it was told to go.
const GOODBYE: Duration = Duration::from_secs(1);

#[graceful::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match &*arguments {
        [how, certificate] if how == "told" || how == "endless" => server(certificate, how == "told").await,
        [certificate, address] => client(certificate, address.parse()?).await,
        _ => panic!("what is {arguments:?}?"),
    }
}

async fn server(certificate: &str, told: bool) -> Result<(), Error> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    fs::write(certificate, own.cert.der())?;
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let mut tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.cert.into()], key)?;
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let tls = quinn::crypto::rustls::QuicServerConfig::try_from(tls)?;
    let config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into())?;
    println!("listening on {}", endpoint.local_addr()?);
    graceful::ready();
    while let Some(Some(incoming)) = graceful::run_until_stopping(endpoint.accept()).await {
        connection(incoming, told).spawn();
    }
    endpoint.wait_idle().await;
    Ok(())
}

#[graceful::worker(on_failure = "log")]
async fn connection(incoming: quinn::Incoming, told: bool) -> Result<(), Error> {
    let quic = incoming.await?;
    let mut http = h3::server::Connection::new(Quic::new(quic.clone())).await?;
    let mut requests = tokio::task::JoinSet::new();
    while let Some(accepted) = graceful::run_until_stopping(http.accept()).await {
        let Some(request) = accepted? else { return Ok(()) };
        requests.spawn(answer(request));
    }
    http.shutdown(1).await?;
    while requests.join_next().await.is_some() {}
    if told {
        // The client goes, or is closed.
        let _ = timeout(GOODBYE, http.accept()).await;
        quic.close(NO_ERROR, b"stopping");
    } else {
        while let Ok(Some(_)) = http.accept().await {}
    }
    Ok(())
}

async fn answer(request: RequestResolver<Quic, Bytes>) -> Result<(), Error> {
    let (_, mut stream) = request.resolve_request().await?;
    println!("in hand");
    sleep(Duration::from_secs(1)).await;
    stream.send_response(Response::new(())).await?;
    stream.send_data(Bytes::from_static(b"slow\n")).await?;
    Ok(stream.finish().await?)
}

/// Asks, prints the answer, and stays.
async fn client(certificate: &str, server: SocketAddr) -> Result<(), Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(fs::read(certificate)?))?;
    let mut tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls)?;
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    let mut transport = quinn::TransportConfig::default();
    transport.keep_alive_interval(Some(Duration::from_millis(500)));
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
    endpoint.set_default_client_config(config);
    let quic = endpoint.connect(server, "localhost")?.await?;
    let (_driver, mut http) = h3::client::new(Quic::new(quic.clone())).await?;
    let mut stream = http.send_request(Request::get("https://localhost/").body(())?).await?;
    stream.finish().await?;
    let answer = stream.recv_response().await?;
    println!("answered: {}", answer.status());
    println!("closed: {}", quic.closed().await);
    Ok(())
}
