//! A queue in lists of Redis, for servers and clients that have no streams. A job is in one of two lists until it is done.

use std::env;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, Direction, RedisResult};

use crate::work;

const WAITING: &str = "jobs waiting";

/// Starts the consumer.
pub(crate) async fn start(url: &str, jobs: impl Iterator<Item = String>) -> RedisResult<()> {
    println!("jobs are in the list `{WAITING}` of {url}");
    let client = Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    for text in jobs {
        let _: usize = connection.rpush(WAITING, text).await?;
    }
    consume(client).spawn();
    Ok(())
}

/// Early: takes no further job once the stop is asked for. Restarted, since a server comes and goes, and then with
/// another connection.
#[graceful::worker(stop = "early", on_failure = "restart")]
async fn consume(client: Client) -> RedisResult<()> {
    let mut queue = Queue::connect(&client).await?;
    queue.take_up().await?;
    // A stop ends the wait for a job, but not a job.
    while let Some(job) = graceful::run_until_stopping(queue.next()).await {
        let job = job?;
        let result = work(&job).await;
        queue.finish(&job, &result).await?;
        println!("{job}: done");
    }
    Ok(())
}

struct Queue {
    /// For this alone: whatever is asked for behind a wait waits as well.
    connection: MultiplexedConnection,
    /// The list of what is in this consumer's hands. Each has one of its own, and the same one at its next start: the pods
    /// of a `StatefulSet` keep their names. Where names change, the stream is the better queue.
    in_hand: String,
}

impl Queue {
    async fn connect(client: &Client) -> RedisResult<Self> {
        // By default a connection gives up after 500 ms. The server does not: it takes a job that nobody waits for.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let consumer = env::var("HOSTNAME").unwrap_or_else(|_| "consumer".to_owned());
        Ok(Self { connection, in_hand: format!("jobs in hand of {consumer}") })
    }

    /// Puts back what this consumer had in its hands when it was killed, and what came when it was told to stop.
    async fn take_up(&mut self) -> RedisResult<()> {
        loop {
            let (from, to) = (Direction::Right, Direction::Left);
            let left: Option<String> = self.connection.lmove(&self.in_hand, WAITING, from, to).await?;
            if left.is_none() {
                return Ok(());
            }
        }
    }

    /// Waits for a job. If it is dropped while the server delivers one, that job is in hand, and found at the next start.
    /// With `BLPOP` it would be lost.
    async fn next(&mut self) -> RedisResult<String> {
        self.connection.blmove(WAITING, &self.in_hand, Direction::Left, Direction::Right, 0.0).await
    }

    /// Keeps the result, and the job is in hand no more: both or neither.
    async fn finish(&mut self, job: &str, result: &str) -> RedisResult<()> {
        redis::pipe()
            .atomic()
            .rpush("results of the list", result)
            .lrem(&self.in_hand, 1, job)
            .exec_async(&mut self.connection)
            .await
    }
}
