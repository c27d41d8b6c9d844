//! The service itself, the same for all: a router, and a start that takes a known time.

use std::process;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::get;

/// What each main does before it serves: it reads its configuration, say.
pub const START_UP: Duration = Duration::from_millis(20);

/// How long a long request takes.
pub const LONG: Duration = Duration::from_millis(500);

/// How many clients may wait to be accepted. What systemd asks for, and more than any of them is by itself given: it is the
/// restart that is measured.
pub const QUEUE: i32 = 4096;

/// Called by each main before anything else.
pub fn start_up() {
    thread::sleep(START_UP);
}

/// Each answer is the number of the process it comes from.
pub fn app() -> Router {
    Router::new().route("/", get(number)).route(
        "/long",
        get(async || {
            tokio::time::sleep(LONG).await;
            number().await
        }),
    )
}

async fn number() -> String {
    process::id().to_string()
}
