//! hyper without a framework: its own `GracefulShutdown` closes the connections, within the budget of the stop.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::time::sleep;

/// How long a client may take for the head of a request, and so the longest that it can hold up the stop.
const PATIENCE: Duration = Duration::from_secs(5);

async fn answer(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let text = if request.uri().path() == "/slow" {
        println!("/slow: a request begins");
        sleep(Duration::from_secs(2)).await;
        "finished, whatever came in between\n"
    } else {
        "try /slow\n"
    };
    Ok(Response::new(text.to_owned()))
}

#[graceful::main(name = "hyper", stop_timeout = "20s")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}; PORT chooses another"))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("in another terminal: curl -i http://{address}/slow");
    println!("press Ctrl-C here while it waits");

    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let connections = GracefulShutdown::new();
    graceful::ready();
    while let Some(accepted) = graceful::run_until_stopping(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let stream = TokioIo::new(stream);
                let connection = server.serve_connection(stream, service_fn(answer));
                let connection = connections.watch(connection.into_owned());
                // A worker, so that reports name it. An error of one client is no failure of the service.
                graceful::spawn("connection", async { drop(connection.await) });
            }
            Err(error) => {
                // Out of files, perhaps: connections get a moment to close theirs.
                eprintln!("a connection was not accepted: {error}");
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
    drop(listener);
    // Closes idle connections and answers requests in hand. It needs no time limit: the stop has one.
    connections.shutdown().await;
    println!("every connection is closed");
    Ok(())
}
