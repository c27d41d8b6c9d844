//! A log that `tracing-appender` writes: `log <file> <where the guard is> <how it ends>`.

use std::env::args;
use std::fs::File;
use std::future::pending;
use std::time::Duration;

use tokio::time::sleep;
use tracing::info;

#[graceful::main(stop_timeout = "20s")]
async fn main() {
    let file = File::create(args().nth(1).expect("a file")).expect("it can be made");
    let (writer, guard) = tracing_appender::non_blocking(file);
    tracing_subscriber::fmt().with_writer(writer).with_ansi(false).init();
    info!("the first line");
    let in_main = match args().nth(2).as_deref().expect("a place") {
        "in main" => Some(guard),
        "kept" => {
            graceful::keep(guard);
            None
        }
        other => panic!("no place {other}"),
    };
    match args().nth(3).as_deref().expect("an end") {
        "clean" => drop(graceful::spawn("work", work())),
        "panic" => drop(graceful::spawn("work", async {
            work().await;
            panic!("at the end");
        })),
        "deadline" => drop(graceful::spawn("work", async {
            let _last = Last;
            pending::<()>().await;
        })),
        other => panic!("no end {other}"),
    }
    println!("up");
    graceful::stopping().await;
    drop(in_main);
}

/// Ends some time after main has returned.
async fn work() {
    graceful::stopping().await;
    sleep(Duration::from_millis(100)).await;
    drop(Last);
}

struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        info!("the last line of work");
    }
}
