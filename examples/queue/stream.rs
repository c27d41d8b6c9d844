//! A queue in a stream of Redis. A group of consumers shares it; what one of them leaves behind, another one takes up.

use std::env;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamAutoClaimOptions, StreamAutoClaimReply, StreamId, StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, AsyncConnectionConfig, Client, RedisResult};

use crate::work;

const STREAM: &str = "jobs";
const GROUP: &str = "workers";

/// A consumer that has had a job for so many milliseconds is taken for dead. Longer than a job takes.
const DEAD_AFTER: usize = 5_000;

/// How long the server waits for a job before it answers that there is none, in milliseconds.
const WAIT: usize = 1_000;

/// Prepares the stream and starts the consumer.
pub(crate) async fn start(url: &str, jobs: impl Iterator<Item = String>) -> RedisResult<()> {
    println!("jobs are in the stream `{STREAM}` of {url}");
    let client = Client::open(url)?;
    let mut connection = connect(&client).await?;
    // From the stream's beginning. At the next start the group exists already.
    let made: RedisResult<()> = connection.xgroup_create_mkstream(STREAM, GROUP, "0").await;
    made.or_else(|error| match error.code() {
        Some("BUSYGROUP") => Ok(()),
        _ => Err(error),
    })?;
    for text in jobs {
        let _: String = connection.xadd(STREAM, "*", &[("text", text)]).await?;
    }
    consume(client).spawn();
    Ok(())
}

/// Early: takes no further job once the stop is asked for. Restarted, since a server comes and goes, and then with
/// another connection.
#[graceful::worker(stop = "early", on_failure = "restart")]
async fn consume(client: Client) -> RedisResult<()> {
    let mut queue = Queue {
        connection: connect(&client).await?,
        // A container's own name, and a pod's.
        consumer: env::var("HOSTNAME").unwrap_or_else(|_| "consumer".to_owned()),
    };
    // A stop ends the wait for a job, but not a job.
    while let Some(job) = graceful::run_until_stopping(queue.next()).await {
        let job = job?;
        let text: String = job.get("text").unwrap_or_default();
        let result = work(&text).await;
        queue.acknowledge(&job, &result).await?;
        println!("{text}: done");
    }
    Ok(())
}

struct Queue {
    connection: MultiplexedConnection,
    consumer: String,
}

impl Queue {
    /// Waits for a job. If it is dropped while the server delivers one, that job comes again, as those of a dead
    /// consumer do: it has not been acknowledged.
    async fn next(&mut self) -> RedisResult<StreamId> {
        loop {
            if let Some(job) = self.left_behind().await? {
                return Ok(job);
            }
            if let Some(job) = self.fresh().await? {
                return Ok(job);
            }
        }
    }

    /// A job that another consumer has had for too long.
    async fn left_behind(&mut self) -> RedisResult<Option<StreamId>> {
        let one = StreamAutoClaimOptions::default().count(1);
        let consumer = &self.consumer;
        let reply: StreamAutoClaimReply =
            self.connection.xautoclaim_options(STREAM, GROUP, consumer, DEAD_AFTER, "0", one).await?;
        Ok(reply.claimed.into_iter().next())
    }

    /// A job that was never delivered, if one comes.
    async fn fresh(&mut self) -> RedisResult<Option<StreamId>> {
        let one = StreamReadOptions::default().group(GROUP, &self.consumer).count(1).block(WAIT);
        let reply: Option<StreamReadReply> = self.connection.xread_options(&[STREAM], &[">"], &one).await?;
        let streams = reply.into_iter().flat_map(|reply| reply.keys);
        Ok(streams.flat_map(|stream| stream.ids).next())
    }

    /// Keeps the result and takes the job from the stream: both or neither.
    async fn acknowledge(&mut self, job: &StreamId, result: &str) -> RedisResult<()> {
        redis::pipe()
            .atomic()
            .hset("results", &job.id, result)
            .xack(STREAM, GROUP, &[&job.id])
            .xdel(STREAM, &[&job.id])
            .exec_async(&mut self.connection)
            .await
    }
}

/// A connection whose timeout is longer than the wait that `next` asks of the server.
async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let patience = Duration::from_secs(5);
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(patience));
    client.get_multiplexed_async_connection_with_config(&config).await
}
