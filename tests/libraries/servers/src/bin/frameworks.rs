//! warp, poem, salvo, axum-server, hyper and axum: served by this crate, and by themselves.

use std::convert::Infallible;
use std::env;
use std::future::pending;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use poem::Endpoint;
use poem::http::uri::Scheme;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower::service_fn;
use warp::Filter;

/// Less than an answer takes.
const SHORT: Option<Duration> = Some(Duration::from_millis(200));

async fn slow() -> &'static str {
    println!("in hand");
    sleep(Duration::from_secs(1)).await;
    "slow\n"
}

fn print(listening: impl std::fmt::Display) {
    println!("listening on {listening}");
}

async fn listen() -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    print(listener.local_addr()?);
    Ok(listener)
}

#[graceful::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(|argument| &**argument).collect();
    match *arguments {
        ["warp", how] => with_warp(how).await,
        ["poem", how] => with_poem(how).await,
        ["salvo", how] => with_salvo(how).await,
        ["axum-server", how] => with_axum_server(how).await,
        ["hyper", how] => with_hyper(how).await,
        ["axum", how] => with_axum(how).await,
        _ => panic!("no such server: {arguments:?}"),
    }
}

async fn with_warp(how: &str) -> std::io::Result<()> {
    let app = warp::path("slow").then(slow);
    let listener = listen().await?;
    match how {
        "served" => graceful::http::serve(listener, warp::service(app)).await,
        "graceful" => warp::serve(app).incoming(listener).graceful(graceful::stopping()).run().await,
        _ => {
            let run = warp::serve(app).incoming(listener).run();
            graceful::run_until_stopping(run).await;
        }
    }
    Ok(())
}

async fn with_poem(how: &str) -> std::io::Result<()> {
    #[poem::handler]
    async fn handler() -> &'static str {
        slow().await
    }
    let app = poem::Route::new().at("/slow", poem::get(handler));
    if how == "served" {
        let listener = listen().await?;
        let app = Arc::new(app);
        let service = service_fn(move |request: Request<Incoming>| {
            let (app, request) = (app.clone(), (request, Default::default(), Default::default(), Scheme::HTTP).into());
            async move { Ok::<Response<_>, Infallible>(app.get_response(request).await.into()) }
        });
        graceful::http::serve(listener, service).await;
        return Ok(());
    }
    let acceptor = poem::listener::TcpAcceptor::from_tokio(listen().await?)?;
    let server = poem::Server::new_with_acceptor(acceptor);
    let limit = if how == "limited" { SHORT } else { None };
    server.run_with_graceful_shutdown(app, graceful::stopping(), limit).await
}

async fn with_salvo(how: &str) -> std::io::Result<()> {
    #[salvo::handler]
    async fn handler() -> &'static str {
        slow().await
    }
    let router = salvo::Router::with_path("slow").get(handler);
    let acceptor = salvo::conn::tcp::TcpAcceptor::try_from(listen().await?).map_err(std::io::Error::other)?;
    let server = salvo::Server::new(acceptor);
    let handle = server.handle();
    let limit = if how == "limited" { SHORT } else { None };
    tokio::spawn(async move {
        graceful::stopping().await;
        handle.stop_graceful(limit)
    });
    server.try_serve(router).await
}

async fn with_axum_server(how: &str) -> std::io::Result<()> {
    let app = Router::new().route("/slow", get(slow));
    let listener = listen().await?;
    if how == "served" {
        graceful::http::serve(listener, app).await;
        return Ok(());
    }
    let handle = axum_server::Handle::new();
    let server = axum_server::from_tcp(listener.into_std()?)?.handle(handle.clone());
    let limit = if how.starts_with("limited") { SHORT } else { None };
    tokio::spawn(async move {
        graceful::stopping().await;
        handle.graceful_shutdown(limit)
    });
    if how.ends_with("layered") {
        server.serve(app.layer(graceful::tower::GracefulLayer::new()).into_make_service()).await
    } else {
        server.serve(app.into_make_service()).await
    }
}

async fn with_hyper(how: &str) -> std::io::Result<()> {
    let service = service_fn(async |_: Request<Incoming>| Ok::<_, Infallible>(Response::new(slow().await.to_owned())));
    let listener = listen().await?;
    if how == "served" {
        graceful::http::serve(listener, service).await;
        return Ok(());
    }
    let watched = hyper_util::server::graceful::GracefulShutdown::new();
    while let Some(accepted) = graceful::run_until_stopping(listener.accept()).await {
        let socket = TokioIo::new(accepted?.0);
        let connection = http1::Builder::new().serve_connection(socket, TowerToHyperService::new(service));
        let connection = match how {
            "graceful" => futures_util::future::Either::Left(watched.watch(connection)),
            _ => futures_util::future::Either::Right(connection),
        };
        tokio::spawn(async move { pin!(connection).await });
    }
    watched.shutdown().await;
    Ok(())
}

async fn endless() {
    println!("in hand");
    pending().await
}

/// One request at a time.
async fn with_axum(how: &str) -> std::io::Result<()> {
    let layer = tower::limit::ConcurrencyLimitLayer::new(1);
    let app = Router::new().route("/slow", get(endless)).layer(layer);
    let listener = listen().await?;
    match how {
        "served" => graceful::http::serve(listener, app).await,
        "made" => axum::serve(listener, app.into_make_service()).with_graceful_shutdown(graceful::stopping()).await?,
        _ => axum::serve(listener, app).with_graceful_shutdown(graceful::stopping()).await?,
    }
    Ok(())
}
