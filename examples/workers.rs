//! A ticker fills a queue and ends at the stop; the consumer then empties the queue and ends too.

use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{interval, sleep};

/// Puts a job into the queue every 400 ms. When it ends, the queue's only sender is gone.
#[graceful::worker]
async fn produce(queue: Sender<u32>) {
    let mut clock = interval(Duration::from_millis(400));
    for job in 1.. {
        if graceful::run_until_stopping(clock.tick()).await.is_none() {
            break;
        }
        // A full queue makes it wait; a job that was made is never dropped.
        if queue.send(job).await.is_err() {
            break;
        }
        println!("job {job} queued");
    }
}

/// Does not check for the stop: `recv` returns `None` once the queue is empty and its sender is gone.
#[graceful::worker]
async fn consume(mut queue: Receiver<u32>) {
    while let Some(job) = queue.recv().await {
        sleep(Duration::from_millis(700)).await;
        println!("job {job} done");
    }
}

#[graceful::main(stop_timeout = "10s")]
async fn main() {
    let (sender, receiver) = mpsc::channel(4);
    produce(sender).spawn();
    consume(receiver).spawn();
    println!("press Ctrl-C: the queue is emptied before the end");
    graceful::stopping().await;
}
