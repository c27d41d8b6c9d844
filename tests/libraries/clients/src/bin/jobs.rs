//! Jobs of `apalis`: `jobs <way to stop>`.

use std::env::args;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use apalis::prelude::*;
use tokio::time::sleep;

#[graceful::main]
async fn main() {
    let mut storage = MemoryStorage::new();
    for job in 0..3_u32 {
        storage.push(job).await.expect("it is pushed");
    }
    // It is asked for again only where a worker has failed.
    let storage = Mutex::new(Some(storage));
    let monitor = Monitor::new().register(move |_| {
        let storage = storage.lock().expect("nothing panics in here").take().expect("no worker fails");
        WorkerBuilder::new("jobs").backend(storage).build(work)
    });
    let told = async {
        graceful::stopping().await;
        io::Result::Ok(())
    };
    let ended = match args().nth(1).as_deref().expect("a way") {
        "told" => monitor.run_with_signal(told).await,
        "told, with a timeout" => monitor.shutdown_timeout(Duration::from_millis(10)).run_with_signal(told).await,
        "dropped" => graceful::run_until_stopping(monitor.run()).await.unwrap_or(Ok(())),
        other => panic!("no way {other}"),
    };
    println!("the monitor ended: {ended:?}");
}

async fn work(job: u32) {
    println!("{job}: begins");
    sleep(Duration::from_millis(500)).await;
    println!("{job}: done");
}
