//! Servers of `graceful::http` and `graceful::net`, one for each name.

use std::env;
use std::fmt::Display;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path};
use axum::routing::{any, get};
use futures_util::{SinkExt, StreamExt};
use graceful::net::{ListenError, Listener, Stream};
use graceful::tower::GracefulLayer;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use listenfd::ListenFd;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower::limit::ConcurrencyLimitLayer;

/// What `/big` and a line protocol answer with at the most.
const BIG: usize = 8_000_000;

async fn slow() -> &'static str {
    println!("in hand");
    sleep(Duration::from_secs(2)).await;
    "slow\n"
}

async fn alone() {
    println!("alone begins");
    sleep(Duration::from_millis(300)).await;
    println!("alone ends");
}

fn app() -> Router {
    Router::new()
        .route("/", get(async || "hello\n"))
        .route("/slow", get(slow))
        .route("/big", get(async || vec![b'x'; BIG]))
        .route("/bytes/{count}", get(async |Path(count): Path<usize>| vec![b'x'; count]))
        .route("/token", get(async || format!("{}\n", graceful::token().is_cancelled())))
        .route("/never", get(pending::<()>))
        .route("/peer", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| format!("{peer}\n")))
        .route("/deaf", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(async |_| pending().await)))
        .route("/polite", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(say_close)))
        .route("/bug", get(async || -> () { panic!("a bug") }))
}

/// Reads in a task of its own, says Close at the stop, and waits for the client's.
async fn say_close(socket: WebSocket) {
    let (mut writer, mut reader) = socket.split();
    let reads = tokio::spawn(async move { while let Some(Ok(_)) = reader.next().await {} });
    graceful::stopping().await;
    let _ = writer.send(Message::Close(None)).await;
    let _ = reads.await;
    println!("nothing comes any more");
}

async fn listen(name: &str) -> Result<Listener, ListenError> {
    let listener = graceful::net::listen(name, "127.0.0.1:0").await?;
    print(name, listener.local_addr().expect("it is TCP"));
    Ok(listener)
}

fn print(name: &str, at: impl Display) {
    println!("{name} at {at}");
}

/// Answers each line, a number, with as many bytes.
#[graceful::worker]
async fn count(stream: Stream, takes_what_is_here: bool) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    loop {
        let line = if takes_what_is_here {
            tokio::select! {
                biased;
                line = lines.next_line() => line.ok().flatten(),
                () = graceful::stopping() => None,
            }
        } else {
            graceful::run_until_stopping(lines.next_line()).await.and_then(Result::ok).flatten()
        };
        let Some(line) = line else { return };
        println!("asked for {line}");
        let count = line.parse().unwrap_or(0);
        if writer.write_all(&vec![b'x'; count]).await.is_err() {
            return;
        }
    }
}

/// A server of another crate's, with a time limit of its own: a moment after the stop it drops its connections.
async fn serve_for_a_moment(listener: tokio::net::TcpListener) {
    let service = TowerToHyperService::new(app().layer(GracefulLayer::new()));
    let mut connections = JoinSet::new();
    while let Some(Ok((stream, _))) = graceful::run_until_stopping(listener.accept()).await {
        let service = service.clone();
        connections.spawn(async move {
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let _ = served.await;
        });
    }
    sleep(Duration::from_millis(200)).await;
}

#[graceful::main(stop_timeout = "20s")]
async fn main() -> Result<(), ListenError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    graceful::ready();
    match arguments.as_slice() {
        ["http"] => graceful::http::serve(listen("http").await?, app()).connect_info(ConnectInfo::<SocketAddr>).await,
        ["alone"] => {
            let app = Router::new().route("/alone", get(alone)).layer(ConcurrencyLimitLayer::new(1));
            graceful::http::serve(listen("http").await?, app).await;
        }
        ["few"] => graceful::http::serve(listen("http").await?.max_connections(2), app()).await,
        ["short"] => {
            let brief = Duration::from_millis(300);
            let server = graceful::http::serve(listen("http").await?, app());
            server.head_timeout(brief).idle_timeout(2 * brief).send_timeout(3 * brief).await;
        }
        ["http2"] => {
            let (interval, timeout) = (Duration::from_millis(200), Duration::from_secs(2));
            let server = graceful::http::serve(listen("http").await?, app());
            server.http2_keep_alive(interval, timeout).http2_max_streams(7).await;
        }
        ["unix", path] => {
            let unix = UnixListener::bind(path).expect("the path is free");
            graceful::http::serve(listen("http").await?.and(unix), app()).await;
        }
        ["named"] => {
            let (first, second) = (listen("first").await?, listen("second").await?);
            graceful::http::serve(first.and(second), app()).await;
        }
        ["adopted"] => {
            let listener = ListenFd::from_env().take_tcp_listener(0).expect("it is TCP").expect("there is one");
            listener.set_nonblocking(true).expect("it is a socket");
            let listener = tokio::net::TcpListener::from_std(listener).expect("tokio takes it");
            print("http", listener.local_addr().expect("it is bound"));
            graceful::http::serve(listener, app()).await;
        }
        ["moment"] => {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
            print("http", listener.local_addr().expect("it is bound"));
            serve_for_a_moment(listener).await;
        }
        ["part"] => {
            let part = graceful::spawn("part", async {
                let listener = listen("http").await.expect("a port is free");
                graceful::http::serve(listener, app()).await;
            });
            sleep(Duration::from_millis(500)).await;
            part.stop();
            let _ = part.await;
            println!("the part is gone");
            graceful::stopping().await;
        }
        ["count", how] => {
            let mut listener = listen("count").await?;
            while let Some(stream) = listener.accept().await {
                count(stream, *how == "here").spawn();
            }
        }
        other => panic!("no server {other:?}"),
    }
    println!("main has ended");
    Ok(())
}
