//! An HTTP service that answers the requests in hand before it ends.

use std::env;
use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::sleep;

async fn slow() -> &'static str {
    println!("/slow: a request begins");
    sleep(Duration::from_secs(5)).await;
    println!("/slow: answered");
    "finished, whatever came in between\n"
}

#[graceful::main(name = "http", stop_timeout = "20s")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}; PORT chooses another"))?;
    let app = Router::new()
        .route("/", get(async || "try /slow\n"))
        .route("/slow", get(slow));

    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("in another terminal: curl -i http://{address}/slow");
    println!("press Ctrl-C here while it waits");
    graceful::ready();
    axum::serve(listener, app)
        .with_graceful_shutdown(graceful::stopping())
        .await?;
    Ok(())
}
