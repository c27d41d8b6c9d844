//! A service that a supervisor runs: `managed [option…] <mode>`. The options are those of [`options`], the modes those of
//! [`serve`].

use std::env::args;
use std::hint::spin_loop;
use std::process::{Command, ExitCode};
use std::time::Duration;

use graceful::{Builder, Signal, run_until_stopping};
use tokio::time::sleep;

fn main() -> ExitCode {
    let arguments: Vec<_> = args().skip(1).collect();
    let (mode, given) = arguments.split_last().expect("a mode");
    options(given).block_on(serve(mode.clone()))
}

/// `name=…`, `reraise`, `user1` (SIGUSR1 stops), `dump` (SIGUSR1 and SIGABRT dump), `extend` (a slow start is fine),
/// `one` (one thread runs all tasks), `upgrade` (SIGUSR2 upgrades).
fn options(given: &[String]) -> Builder {
    let builder = Builder::new().stop_timeout(Duration::from_secs(10)).worker_threads(2);
    given.iter().fold(builder, |builder, option| match option.as_str() {
        "reraise" => builder.reraise(),
        "user1" => builder.signals([Signal::Terminate, Signal::User1]),
        "dump" => builder.dump([Signal::User1, Signal::Abort]),
        "extend" => builder.extend_start(Duration::from_secs(30)),
        "one" => builder.current_thread(),
        "upgrade" => builder.upgrade([Signal::User2]).upgrade_timeout(Duration::from_secs(10)),
        name => builder.name(name.strip_prefix("name=").expect("a known option").to_owned()),
    })
}

#[derive(Debug)]
struct Broken;

/// A server on this port, whose answer is the number of its process, and ends as the example's does. It does not start once there is the file `broken` in
/// the tests' folder.
async fn serve_web(port: &str) -> Result<(), Broken> {
    if std::path::Path::new("/run/graceful/out").join(format!("broken-{port}")).exists() {
        return Err(Broken);
    }
    let listener = graceful::listen("http", &format!("127.0.0.1:{port}")).await.map_err(|_| Broken)?;
    let app =
        axum::Router::new().route("/", axum::routing::get(async || format!("{}\ntry /slow\n", std::process::id())));
    // A SIGKILL right after the SIGTERM would be seen.
    graceful::spawn("linger", async {
        graceful::stopping().await;
        sleep(Duration::from_millis(300)).await;
        println!("lingered");
    });
    graceful::ready();
    graceful::http::serve(listener, app).await;
    Ok(())
}

async fn serve(mode: String) -> Result<(), Broken> {
    if let Some(port) = mode.strip_prefix("web=") {
        return serve_web(port).await;
    }
    match mode.as_str() {
        "serves" => {}
        "starts_slowly" => {
            if run_until_stopping(sleep(Duration::from_millis(2500))).await.is_none() {
                println!("the start is given up");
                return Ok(());
            }
        }
        "fails" => drop(graceful::spawn("broken", async {
            sleep(Duration::from_millis(100)).await;
            Err::<(), _>(Broken)
        })),
        "fails_to_start" => return Err(Broken),
        "lingers" => drop(graceful::spawn("linger", async {
            graceful::stopping().await;
            sleep(Duration::from_millis(1500)).await;
        })),
        "ignores" => drop(graceful::spawn("ignorant", std::future::pending::<()>())),
        "spins" => {
            for _ in 0..2 {
                graceful::spawn("spinner", async {
                    graceful::stopping().await;
                    spin();
                });
            }
        }
        "blocks" => drop(graceful::spawn("blocker", async { spin() })),
        "eats" => drop(graceful::spawn("glutton", async {
            graceful::stopping().await;
            sleep(Duration::from_millis(1200)).await;
            eat();
        })),
        "reloads" => drop(graceful::spawn("config", async {
            let mut reloads = graceful::reloads();
            while reloads.recv().await.is_some() {
                sleep(Duration::from_secs(1)).await;
                println!("reloaded");
            }
        })),
        // The one that nobody waits for, and the one that is a worker.
        "spawns" => drop(child().spawn().expect("a shell")),
        "has_a_child" => drop(graceful::child("child", child()).spawn()),
        other => panic!("no mode {other}"),
    }
    graceful::ready();
    println!("serving as {}", std::process::id());
    graceful::stopping().await;
    Ok(())
}

fn spin() {
    loop {
        spin_loop();
    }
}

/// More than there is.
fn eat() {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1_u8; 1 << 20]);
    }
}

/// Says so when it is told to stop, and ends.
fn child() -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "trap 'echo the child is told; exit 0' TERM; echo the child is up; while :; do sleep 0.05; done"]);
    shell
}
