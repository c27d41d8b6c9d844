//! This crate with nothing to do, as a program of its own: only as the process's `main` does it save some work at the
//! end.

use graceful_benches::{say, start_up};

#[graceful::main]
async fn main() {
    start_up();
    say("ready");
    graceful::stopping().await;
}
