//! A consumer of a stream in NATS, at least once: the job in hand is finished and acknowledged, the next one not begun, and
//! what a killed process had in hand comes again.

use std::env;
use std::time::Duration;

use async_nats::Error;
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use async_nats::jetstream::{self, Message};
use futures_util::StreamExt;
use tokio::time::sleep;

/// A job that was delivered so long ago and not acknowledged comes again. Longer than a job takes.
const DEAD_AFTER: Duration = Duration::from_secs(3);

/// Does a job. It is done again if the process was killed meanwhile, so doing it twice must do no harm.
async fn work(text: &str) {
    println!("{text}: begins");
    sleep(Duration::from_millis(500)).await;
}

/// Early: takes no further job once the stop is asked for. Restarted, since a server comes and goes.
#[graceful::worker(stop = "early", on_failure = "restart")]
async fn consume(consumer: PullConsumer) -> Result<(), Error> {
    // A stop ends the wait for a job, but not a job. One that is delivered at this moment comes again.
    while let Some(message) = graceful::run_until_stopping(next(&consumer)).await {
        let message = message?;
        let text = String::from_utf8_lossy(&message.payload);
        work(&text).await;
        // Returns when the server has it: not only when it was sent.
        message.double_ack().await?;
        println!("{text}: done");
    }
    Ok(())
}

/// One at a time: what is fetched in advance would wait for the next process.
async fn next(consumer: &PullConsumer) -> Result<Message, Error> {
    loop {
        let mut batch = consumer.fetch().max_messages(1).expires(Duration::from_secs(1)).messages().await?;
        if let Some(message) = batch.next().await {
            return message;
        }
        // None came within a second, or nobody was there to ask.
        sleep(Duration::from_millis(10)).await;
    }
}

/// Each argument is a job.
#[graceful::main(name = "nats", stop_timeout = "20s")]
async fn main() -> Result<(), Error> {
    let url = env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
    println!("jobs are in the stream `jobs` of {url}, which runs with --jetstream");
    // A server that does not answer delays the start, not the stop.
    let Some(consumer) = graceful::run_until_stopping(start(&url)).await else { return Ok(()) };
    consume(consumer?).spawn();
    graceful::ready();
    println!("press Ctrl-C while a job is in hand, and start again with others");
    graceful::stopping().await;
    Ok(())
}

async fn start(url: &str) -> Result<PullConsumer, Error> {
    let stream = jetstream::new(async_nats::connect(url).await?);
    let retention = RetentionPolicy::WorkQueue; // acknowledged, it is gone
    let jobs = Config { name: "jobs".to_owned(), subjects: vec!["jobs".to_owned()], retention, ..Config::default() };
    let jobs = stream.get_or_create_stream(jobs).await?;
    for text in env::args().skip(1) {
        // The second await is the server's answer: the job is stored.
        stream.publish("jobs", text.into()).await?.await?;
    }
    let workers =
        pull::Config { durable_name: Some("workers".to_owned()), ack_wait: DEAD_AFTER, ..pull::Config::default() };
    Ok(jobs.get_or_create_consumer("workers", workers).await?)
}
