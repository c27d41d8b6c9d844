//! Who waits where: `awaits <case> <flavour>`. Built by the test that starts it, with `--cfg tokio_unstable`.

use std::env::args;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

fn main() -> ExitCode {
    match args().nth(2).as_deref() {
        Some("current_thread") => on_one_thread(),
        _ => on_worker_threads(),
    }
}

#[graceful::main(stop_timeout = "3s", dump = "SIGUSR1", name = "orders", worker_threads = 2)]
async fn on_worker_threads() {
    run().await;
}

#[graceful::main(stop_timeout = "3s", dump = "SIGUSR1", name = "orders", flavor = "current_thread")]
async fn on_one_thread() {
    run().await;
}

async fn run() {
    match args().nth(1).expect("a case").as_str() {
        "waits" => {
            for _ in 0..3 {
                consume().spawn();
            }
            one_of_two().spawn();
            ticks().spawn();
            graceful::spawn("block", async { ask(Ask::Nobody).await });
        }
        "spins" => {
            consume().spawn();
            spins().spawn();
        }
        "counts" => count().await,
        other => panic!("no case {other}"),
    }
    println!("up");
    graceful::stopping().await; // main waits
}

enum Ask {
    Nobody,
    Later,
}

/// Never answered.
async fn ask(whom: Ask) {
    let (_never, answer) = oneshot::channel::<()>();
    match whom {
        Ask::Nobody => drop(answer.await),                   // nobody
        Ask::Later => sleep(Duration::from_secs(600)).await, // later
    }
}

#[graceful::worker]
async fn consume() {
    graceful::stopping().await; // first
    ask(Ask::Nobody).await; // then
}

#[graceful::worker(stop_timeout = "60s")]
async fn one_of_two() {
    tokio::select! {
        () = ask(Ask::Nobody) => {}
        () = ask(Ask::Later) => {}
    }
}

#[graceful::worker(every = "60s")]
async fn ticks() {
    println!("ticking");
    ask(Ask::Later).await; // ticks
}

#[graceful::worker]
async fn spins() {
    println!("spinning");
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// A thousand messages, which all arrive.
async fn count() {
    let (sender, mut messages) = mpsc::channel(1);
    graceful::spawn("send", async move {
        for number in 0..1000 {
            sender.send(number).await.expect("somebody listens");
            if number % 4 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let received = graceful::spawn("receive", async move {
        let mut received = Vec::new();
        while let Some(number) = messages.recv().await {
            received.push(number);
        }
        assert!(received.iter().copied().eq(0..1000), "{received:?}");
    });
    println!("counting");
    received.await.expect("it ends well");
    println!("counted");
}
