//! A service that is upgraded in place. Its first argument is a folder: each word of the file `mode` in there changes what
//! a process does from its start on, so that the next version behaves in another way. The options are variables.

use std::env;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, Command, ExitCode};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::{any, get};
use graceful::{Builder, Signal};
use tokio::time::sleep;

fn main() -> ExitCode {
    let folder = PathBuf::from(env::args_os().nth(1).expect("a folder"));
    let folder = fs::canonicalize(folder).expect("it is there");
    let mode = fs::read_to_string(folder.join("mode")).unwrap_or_default();
    if has(&mode, "exits_at_once") {
        process::exit(7);
    }
    let millis = |name, otherwise| {
        let value = env::var(name).ok().map(|value| value.parse().expect("a number"));
        Duration::from_millis(value.unwrap_or(otherwise))
    };
    let mut builder = Builder::new()
        .name("http")
        .upgrade_timeout(millis("LIMIT", 20_000))
        .stop_timeout(millis("BUDGET", 10_000))
        .worker_threads(2);
    if env::var_os("NO_UPGRADE").is_none() {
        builder = builder.upgrade([Signal::User2]);
    }
    if let Ok(path) = env::var("PID_FILE") {
        builder = builder.pid_file(path);
    }
    if env::var_os("RERAISE").is_some() {
        builder = builder.reraise();
    }
    if env::var_os("REAP").is_some() {
        builder = builder.reap();
    }
    builder.block_on(run(folder, mode))
}

fn has(mode: &str, word: &str) -> bool {
    mode.split_whitespace().any(|one| one == word)
}

/// What an error of the service is.
#[derive(Debug)]
#[allow(dead_code)] // `Debug` shows it
struct Broken(&'static str);

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(Message::Text(text))) = socket.recv().await {
        if socket.send(Message::Text(text)).await.is_err() {
            return;
        }
    }
}

fn app() -> Router {
    Router::new()
        .route("/", get(async || format!("{} {}", graceful::status().upgrade.generation, process::id())))
        .route(
            "/slow",
            get(async || {
                println!("in hand");
                sleep(Duration::from_millis(1500)).await;
                format!("{} {}", graceful::status().upgrade.generation, process::id())
            }),
        )
        .route("/ready", get(async || format!("{}", graceful::is_ready())))
        .route("/status", get(async || graceful::status().to_string()))
        .route("/echo", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)))
        .route(
            "/upgrade",
            get(async || match graceful::upgrade().await {
                Ok(()) => "done".to_owned(),
                Err(why) => why.to_string(),
            }),
        )
}

async fn run(folder: PathBuf, mode: String) -> Result<(), Broken> {
    let generation = graceful::status().upgrade.generation;
    println!("start {generation} pid {}", process::id());
    hand_over(&mode)?;
    leave_lying_about(&mode);
    end_badly(&mode).await?;
    if has(&mode, "registered") {
        graceful::before_stop("leave", async move || {
            let cause = graceful::cause().expect("it stops");
            println!("before_stop {generation}: {cause}");
        });
    }
    if has(&mode, "starts_slowly") {
        sleep(Duration::from_millis(700)).await;
    }
    if has(&mode, "binds") {
        let at = folder.join("bound");
        let address = fs::read_to_string(&at).unwrap_or_else(|_| "127.0.0.1:0".to_owned());
        let listener = tokio::net::TcpListener::bind(address).await.expect("nobody has the port");
        let bound = listener.local_addr().expect("it is TCP");
        fs::write(at, bound.to_string()).expect("it can be written");
        up(Some(bound));
        graceful::stopping().await;
        return Ok(());
    }
    let address = fs::read_to_string(folder.join("address")).unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let listener = graceful::listen("http", &address).await.map_err(|why| {
        eprintln!("{why}");
        Broken("cannot listen")
    })?;
    let at = listener.local_addr();
    let mut second = None;
    if has(&mode, "two") {
        let listener = graceful::listen("admin", "127.0.0.1:0").await.map_err(|_| Broken("cannot listen"))?;
        println!("admin at {}", listener.local_addr().expect("it is TCP"));
        second = Some(graceful::spawn("admin", async { graceful::http::serve(listener, app()).await }));
    }
    if has(&mode, "unix") {
        let path = folder.join("socket");
        let listener = graceful::listen("unix", path.to_str().expect("it is text")).await;
        let listener = listener.map_err(|_| Broken("cannot listen"))?;
        graceful::spawn("unix", async { graceful::http::serve(listener, app()).await });
    }
    if has(&mode, "udp") {
        let socket = graceful::net::udp("udp", "127.0.0.1:0").await.map_err(|_| Broken("cannot listen"))?;
        println!("udp at {}", socket.local_addr().expect("it is bound"));
        graceful::spawn("udp", answer(socket));
    }
    if has(&mode, "accepts_early") {
        let early = graceful::spawn("early", async { graceful::http::serve(listener, app()).await });
        println!("serves early");
        sleep(Duration::from_secs(1)).await;
        assert!(!has(&mode, "then_panics"), "a late bug in the new version");
        up(at);
        let _ = early.await;
        return Ok(());
    }
    if has(&mode, "never_ready") {
        println!("never ready");
        graceful::stopping().await;
        return Ok(());
    }
    if has(&mode, "hangs") {
        println!("hangs");
        std::thread::sleep(Duration::from_secs(3600));
    }
    up(at);
    graceful::http::serve(listener, app()).await;
    drop(second);
    Ok(())
}

/// What is left for the next version, and from the last one.
fn hand_over(mode: &str) -> Result<(), Broken> {
    if has(mode, "bequeaths") || has(mode, "counts") {
        let count = match graceful::handed_over("count") {
            Some(bytes) => u32::from_le_bytes(bytes.try_into().map_err(|_| Broken("the count is no count"))?),
            None => 0,
        };
        println!("count {count}");
        let is_spoilt = has(mode, "bequeaths");
        graceful::hand_over(
            "count",
            move || {
                if is_spoilt { b"spoilt".to_vec() } else { (count + 1).to_le_bytes().to_vec() }
            },
        );
    }
    if has(mode, "offers_much") {
        graceful::hand_over("much", || vec![0; (1 << 20) + 1]);
    }
    if has(mode, "offer_panics") {
        graceful::hand_over("bad", || panic!("no bytes today"));
    }
    if has(mode, "offer_hangs") {
        graceful::hand_over("slow", || {
            std::thread::sleep(Duration::from_secs(3600));
            Vec::new()
        });
    }
    Ok(())
}

/// What concerns the next process only if it is inherited.
#[allow(clippy::zombie_processes)] // the tests end it
fn leave_lying_about(mode: &str) {
    if has(mode, "leaks") {
        leak();
    }
    if has(mode, "moves") {
        env::set_current_dir("/").expect("it is there");
    }
    if has(mode, "has_children") {
        let mut sleeper = Command::new("sleep");
        sleeper.arg("1000");
        graceful::child("sleeper", sleeper).spawn();
    }
    if has(mode, "leaves_a_child") {
        let sleeper = Command::new("sleep").arg("1000").spawn().expect("it starts");
        println!("child {}", sleeper.id());
    }
}

/// The ways in which a new version fails.
async fn end_badly(mode: &str) -> Result<(), Broken> {
    assert!(!has(mode, "panics"), "a bug in the new version");
    if has(mode, "fails") {
        return Err(Broken("the new version has no queue"));
    }
    if has(mode, "worker_fails") {
        graceful::spawn("consume", async { Err::<(), _>(Broken("no queue")) });
        graceful::stopping().await;
    }
    if has(mode, "exits") {
        process::exit(3);
    }
    if has(mode, "aborts") {
        process::abort();
    }
    Ok(())
}

fn up(at: Option<SocketAddr>) {
    graceful::ready();
    let generation = graceful::status().upgrade.generation;
    println!("up {generation} pid {} at {}", process::id(), at.expect("it is TCP"));
    let _ = std::io::stdout().flush();
}

async fn answer(socket: graceful::net::UdpSocket) {
    let mut bytes = [0; 64];
    while let Some(Ok((length, peer))) = graceful::run_until_stopping(socket.recv_from(&mut bytes)).await {
        let _ = socket.send_to(&bytes[..length], peer).await;
    }
}

/// Opens files without close-on-exec, blocks a signal and sets a variable: what a program leaves lying about.
fn leak() {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

    for _ in 0..3 {
        let file = fs::File::open("/dev/zero").expect("it is there");
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).expect("it is open");
        std::mem::forget(file);
    }
    let mut usr1 = SigSet::empty();
    usr1.add(nix::sys::signal::Signal::SIGUSR1);
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&usr1), None).expect("it is a signal");
}
