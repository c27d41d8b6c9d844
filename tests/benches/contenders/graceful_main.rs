//! This crate with nothing to do, as a program of its own: what it saves at the end it saves for the process's `main`.

use graceful_benches::{say, start_up};

#[graceful::main]
async fn main() {
    start_up();
    say("ready");
    graceful::stopping().await;
}
