//! HTTPS with rustls: `graceful::http::serve` makes the handshake part of the connection, with its time limit.

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A certificate that nobody else has signed. A service reads its own from files.
fn config() -> Result<ServerConfig, Box<dyn Error>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(vec![own.cert.der().clone()], key.into())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn slow() -> &'static str {
    println!("/slow: a request begins");
    sleep(Duration::from_secs(2)).await;
    "finished, whatever came in between\n"
}

#[graceful::main(name = "https", stop_timeout = "20s")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = graceful::net::listen("https", &address).await?;
    if let Some(address) = listener.local_addr() {
        println!("listening on https://{address}");
        println!("in another terminal: curl -ik https://{address}/slow");
    }
    println!("press Ctrl-C here while it waits");
    let acceptor = TlsAcceptor::from(Arc::new(config()?));
    let app = Router::new().route("/", get(async || "try /slow\n")).route("/slow", get(slow));
    graceful::ready();
    graceful::http::serve(listener, app).tls(move |stream| acceptor.accept(stream)).await;
    Ok(())
}
