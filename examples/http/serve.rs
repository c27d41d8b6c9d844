//! Connections: a worker each, so that the stop waits for them, and none that a client can keep for ever.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::port::Port;

/// How long a client may take for the head of a request, or to answer a ping: the longest that an idle connection stays
/// open.
const PATIENCE: Duration = Duration::from_secs(5);

/// Accepts connections until the caller is told to stop. `axum::serve` does this too, but it gives a client unlimited
/// time for its request, and resets clients that are just connecting.
pub(crate) async fn serve(port: Port, app: Router) {
    let start = |stream| drop(connection(stream, app.clone()).spawn());
    while let Some(accepted) = graceful::run_until_stopping(port.accept()).await {
        match accepted {
            Ok(stream) => start(stream),
            Err(error) => {
                // Out of files, perhaps: connections get a moment to close theirs.
                eprintln!("a connection was not accepted: {error}");
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
    port.close(start).await;
}

/// Returns `()`, not a `Result`: a client that goes away is no failure of the service.
#[graceful::worker]
async fn connection(stream: TcpStream, app: Router) {
    // A server that is told to stop before it has read a byte closes the connection, so this waits for one.
    // `readable()` can be mistaken about that.
    if !matches!(timeout(PATIENCE, stream.peek(&mut [0])).await, Ok(Ok(1))) {
        return;
    }
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(PATIENCE).keep_alive_timeout(PATIENCE);
    let app = TowerToHyperService::new(app);
    let mut connection = pin!(server.serve_connection_with_upgrades(TokioIo::new(stream), app));
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = graceful::stopping() => connection.as_mut().graceful_shutdown(),
    }
    // The request in hand is answered, then HTTP/1 closes the connection; HTTP/2 sends `GOAWAY`.
    let _ = connection.await;
}
