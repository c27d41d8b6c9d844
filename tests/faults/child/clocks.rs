//! Programs that stop tokio's clock, or move it.

use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{advance, pause};

use crate::stuck::halt_spinning;
use crate::{Ending, up};

pub(crate) async fn run(case: &str) -> Ending {
    pause();
    match case {
        "jumps_ahead" => {
            advance(Duration::from_secs(60 * 60)).await;
            println!("up");
            graceful::stop();
            halt_spinning();
        }
        "stands_still" => {
            thread::sleep(Duration::from_secs(1));
            graceful::spawn("work", async {
                graceful::stopping().await;
                let (send, done) = oneshot::channel();
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(100));
                    let _ = send.send(());
                });
                let _ = done.await;
                println!("work done");
            });
            graceful::stop();
        }
        other => panic!("no case {other}"),
    }
    up().await
}
