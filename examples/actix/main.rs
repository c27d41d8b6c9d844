//! actix-web: requests in hand are answered during the stop, jobs that they have started are finished, readiness is
//! reported, and the drain goes on serving.

use std::env;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, Responder, get, post};
use tokio::time::sleep;

#[get("/slow")]
async fn slow() -> impl Responder {
    println!("/slow: a request begins");
    sleep(Duration::from_secs(2)).await;
    "finished, whatever came in between\n"
}

/// For load balancers: 503 from the beginning of a stop on, while everything else is still served.
#[get("/readyz")]
async fn readyz() -> impl Responder {
    if graceful::is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() }.finish()
}

/// Answers at once. The job is a worker, on the runtime of main: the stop waits for it.
#[post("/jobs")]
async fn jobs() -> impl Responder {
    job().spawn();
    HttpResponse::Accepted().finish()
}

#[graceful::worker(on_failure = "log")]
async fn job() {
    println!("a job begins");
    sleep(Duration::from_secs(3)).await;
    println!("a job is done");
}

#[graceful::main(name = "actix", stop_timeout = "20s")]
async fn main() -> std::io::Result<()> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let server = HttpServer::new(|| App::new().service(slow).service(readyz).service(jobs));
    // actix gives up a request after this time; the budget comes first, and says what it has cut.
    let server = server.shutdown_timeout(60).bind(address)?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    println!("press Ctrl-C while a request is answered");
    graceful::ready();
    // Instead of signals of its own, which know of no drain.
    server.shutdown_signal(graceful::stopping()).run().await
}
