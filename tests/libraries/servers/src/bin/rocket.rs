//! rocket, which listens for signals itself, and bounds its own shutdown.

use std::collections::HashSet;
use std::env;
use std::time::Duration;

use rocket::config::{Config, LogLevel, Shutdown};
use rocket::fairing::AdHoc;
use rocket::{Rocket, get, routes};
use tokio::time::sleep;

#[get("/")]
fn hello() -> &'static str {
    "hello\n"
}

#[get("/slow/<seconds>")]
async fn slow(seconds: u64) -> &'static str {
    println!("in hand");
    sleep(Duration::from_secs(seconds)).await;
    "slow\n"
}

#[graceful::main]
async fn main() -> Result<(), rocket::Error> {
    let told = env::args().nth(1).as_deref() == Some("told");
    let quiet = Shutdown { ctrlc: false, signals: HashSet::new(), grace: 4, ..Shutdown::default() };
    let shutdown = if told { quiet } else { Shutdown::default() };
    let config = Config { port: 0, log_level: LogLevel::Off, shutdown, ..Config::debug_default() };
    let listening = AdHoc::on_liftoff("listening", |rocket: &Rocket<rocket::Orbit>| {
        let port = rocket.config().port;
        Box::pin(async move { println!("listening on 127.0.0.1:{port}") })
    });
    let rocket = rocket::custom(config).mount("/", routes![hello, slow]).attach(listening).ignite().await?;
    graceful::ready();
    if told {
        let shutdown = rocket.shutdown();
        tokio::spawn(async move {
            graceful::stopping().await;
            shutdown.notify()
        });
    }
    rocket.launch().await.map(drop)
}
