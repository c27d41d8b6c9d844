//! A queue in a list of Redis: `list <url> <way to take a job>`.

use std::env::args;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, Direction, RedisResult};
use tokio::time::{sleep, timeout};

/// Where a job is while it is in hand. With several consumers each has a list of its own.
const IN_HAND: &str = "jobs in hand";

#[graceful::main(stop_timeout = "20s")]
async fn main() -> RedisResult<()> {
    let client = Client::open(args().nth(1).expect("an address"))?;
    // Other work, which goes on when the consumer has been told to stop: until the test lets it end.
    graceful::spawn("other work", other_work(client.get_multiplexed_async_connection().await?));
    match args().nth(2).as_deref().expect("a way") {
        "pop" => {
            let connection = patient(&client).await?;
            // As a pool does, or a part of the program that has a clone.
            graceful::keep(connection.clone());
            graceful::spawn("consume", pop(connection));
        }
        "move" => {
            let connection = patient(&client).await?;
            graceful::keep(connection.clone());
            graceful::spawn("consume", take(connection));
        }
        "pop, impatient" => {
            let mut connection = client.get_multiplexed_async_connection().await?;
            let popped: RedisResult<(String, String)> = connection.blpop("jobs", 0.0).await;
            println!("popped: {}", popped.map_or_else(|error| error.to_string(), |(_, job)| job));
            graceful::keep(connection);
        }
        "pop, deadpool" => {
            let manager = deadpool_redis::Manager::new(client.get_connection_info().clone())?;
            let pool = deadpool_redis::Pool::builder(manager).max_size(1).build().expect("a pool");
            let mut connection = pool.get().await.expect("a connection");
            give_up(connection.blpop("jobs", 0.0)).await;
            graceful::keep(pool);
        }
        "pop, bb8" => {
            let manager = bb8_redis::RedisConnectionManager::new(client.get_connection_info().clone())?;
            let pool = bb8_redis::bb8::Pool::builder().max_size(1).build(manager).await?;
            let mut connection = pool.get().await.expect("a connection");
            give_up(connection.blpop("jobs", 0.0)).await;
            drop(connection);
            graceful::keep(pool);
        }
        other => panic!("no way {other}"),
    }
    println!("up");
    graceful::stopping().await;
    Ok(())
}

/// A connection that waits longer than the server does.
async fn patient(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// The server takes the job from the list, whether somebody waits for it or not.
async fn pop(mut connection: MultiplexedConnection) -> RedisResult<()> {
    while let Some(popped) = graceful::run_until_stopping(connection.blpop("jobs", 0.0)).await {
        let (_, job): (String, String) = popped?;
        let _: () = connection.rpush("done", job).await?;
    }
    println!("told to stop");
    Ok(())
}

/// The job is in one of two lists until it is done.
async fn take(mut connection: MultiplexedConnection) -> RedisResult<()> {
    // What a process before this one left behind.
    while let Some(_left) =
        connection.lmove::<_, _, Option<String>>(IN_HAND, "jobs", Direction::Right, Direction::Left).await?
    {}
    loop {
        let next = connection.blmove("jobs", IN_HAND, Direction::Left, Direction::Right, 0.0);
        let Some(taken) = graceful::run_until_stopping(next).await else { break };
        let job: String = taken?;
        redis::pipe().atomic().rpush("done", &job).lrem(IN_HAND, 1, &job).exec_async(&mut connection).await?;
    }
    println!("told to stop");
    Ok(())
}

/// Drops the call when it has been sent.
async fn give_up(call: impl Future<Output = RedisResult<(String, String)>>) {
    let popped = timeout(Duration::from_millis(100), call).await;
    println!("popped: {}", popped.is_ok());
}

async fn other_work(mut connection: MultiplexedConnection) -> RedisResult<()> {
    graceful::stopping().await;
    while !connection.exists("let it end").await? {
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
