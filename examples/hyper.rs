//! hyper without a framework: a service that is a function.

use std::convert::Infallible;
use std::env;
use std::time::Duration;

use graceful::net::ListenError;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::time::sleep;
use tower::service_fn;

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
async fn main() -> Result<(), ListenError> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = graceful::net::listen("hyper", &address).await?;
    if let Some(address) = listener.local_addr() {
        println!("listening on http://{address}");
        println!("in another terminal: curl -i http://{address}/slow");
    }
    println!("press Ctrl-C here while it waits");
    graceful::ready();
    graceful::http::serve(listener, service_fn(answer)).await;
    println!("every connection is closed");
    Ok(())
}
