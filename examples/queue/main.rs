//! A consumer of a queue, in a stream or a list of Redis, or in a table: the job in hand is finished and acknowledged, the
//! next one not begun.

mod list;
mod stream;
mod table;

use std::env;
use std::error::Error;
use std::time::Duration;

use tokio::time::sleep;

/// Does a job. It is done again if the process was killed meanwhile, so doing it twice must do no harm.
async fn work(text: &str) -> String {
    println!("{text}: begins");
    sleep(Duration::from_millis(500)).await;
    text.to_uppercase()
}

/// Each argument is a job.
#[graceful::main(name = "queue", stop_timeout = "20s")]
async fn main() -> Result<(), Box<dyn Error>> {
    let jobs = env::args().skip(1);
    let start = async {
        match env::var("REDIS_URL") {
            Ok(url) if env::var("QUEUE").is_ok_and(|queue| queue == "list") => Ok(list::start(&url, jobs).await?),
            Ok(url) => Ok::<_, Box<dyn Error>>(stream::start(&url, jobs).await?),
            Err(_) => Ok(table::start(jobs).await?),
        }
    };
    // A server that does not answer delays the start, not the stop.
    let Some(started) = graceful::run_until_stopping(start).await else { return Ok(()) };
    started?;
    graceful::ready();
    println!("press Ctrl-C while a job is in hand, and start again with others");
    graceful::stopping().await;
    Ok(())
}
