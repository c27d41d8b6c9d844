//! A queue in a table of an embedded database. With Postgres it is the same, and `FOR UPDATE SKIP LOCKED` lets many
//! processes consume.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::work;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS results (job INTEGER PRIMARY KEY, text TEXT NOT NULL);
";

/// Opens the pool, has it closed at the end, and starts the consumer in between.
pub(crate) async fn start(jobs: impl Iterator<Item = String>) -> sqlx::Result<()> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| {
        let path = env::temp_dir().join("graceful-queue.db");
        format!("sqlite://{}", path.display())
    });
    println!("jobs are in {url}, with REDIS_URL in a stream of Redis, with QUEUE=list as well in a list");
    let options = SqliteConnectOptions::from_str(&url)?.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePool::connect_with(options).await?;
    let closing = pool.clone();
    graceful::after_stop("pool", async move || {
        // No worker uses a connection any more. Aborted workers have dropped theirs, and their transactions are rolled
        // back. sqlx can overlook one that is being returned at this moment, so this closes again.
        while closing.size() > 0 {
            closing.close().await;
            yield_now().await;
        }
        println!("the pool is closed");
    });

    sqlx::raw_sql(TABLES).execute(&pool).await?;
    for text in jobs {
        let insert = sqlx::query("INSERT INTO jobs (text) VALUES (?)");
        insert.bind(text).execute(&pool).await?;
    }
    consume(pool).spawn();
    Ok(())
}

/// Early: takes no further job once the stop is asked for. Restarted, since a database comes and goes.
#[graceful::worker(stop = "early", on_failure = "restart")]
async fn consume(pool: SqlitePool) -> sqlx::Result<()> {
    // A stop ends the wait for a job, but not a job.
    while let Some(job) = graceful::run_until_stopping(next(&pool)).await {
        let Job { id, text, mut transaction } = job?;
        let result = work(&text).await;
        let insert = sqlx::query("INSERT INTO results (job, text) VALUES (?, ?)");
        let insert = insert.bind(id).bind(result);
        insert.execute(&mut *transaction).await?;
        transaction.commit().await?;
        println!("{text}: done");
    }
    Ok(())
}

/// A job that is in hand.
struct Job {
    id: i64,
    text: String,
    /// It has taken the job from the table. Dropped without a commit, it puts it back.
    transaction: Transaction<'static, Sqlite>,
}

/// Takes the oldest job, or waits for one.
async fn next(pool: &SqlitePool) -> sqlx::Result<Job> {
    loop {
        let mut transaction = pool.begin().await?;
        let taken = sqlx::query_as("DELETE FROM jobs WHERE id = (SELECT min(id) FROM jobs) RETURNING id, text");
        if let Some((id, text)) = taken.fetch_optional(&mut *transaction).await? {
            return Ok(Job { id, text, transaction });
        }
        transaction.rollback().await?;
        sleep(Duration::from_millis(100)).await;
    }
}
