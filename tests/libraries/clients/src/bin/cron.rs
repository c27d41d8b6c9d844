//! Jobs of `tokio-cron-scheduler`: `cron <way>`.

use std::env::args;
use std::time::Duration;

use tokio::time::sleep;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

#[graceful::main]
async fn main() -> Result<(), JobSchedulerError> {
    let holds = match args().nth(1).as_deref().expect("a way") {
        "held" => true,
        "shutdown" => false,
        other => panic!("no way {other}"),
    };
    let mut scheduler = JobScheduler::new().await?;
    let job = Job::new_one_shot_async(Duration::from_millis(100), move |_, _| {
        Box::pin(async move {
            if holds {
                let _hold = graceful::hold("job");
                work().await;
            } else {
                work().await;
            }
        })
    });
    scheduler.add(job?).await?;
    scheduler.start().await?;
    graceful::stopping().await;
    println!("shutdown() says {:?}", scheduler.shutdown().await);
    Ok(())
}

async fn work() {
    println!("begins");
    sleep(Duration::from_millis(500)).await;
    println!("done");
}
