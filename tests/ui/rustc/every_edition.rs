//! Compiled with each edition, and run: its exit code is 7.

use std::process::ExitCode;
use std::sync::Arc;

#[graceful::worker(name = "counted")]
async fn count<T>(mut from: u8, (step, _): (u8, T), _unused: &'static str) -> Result<u8, Arc<str>>
where
    T: Send + 'static,
{
    from += step;
    tokio::task::yield_now().await;
    Ok(from)
}

#[graceful::worker(blocking)]
fn crunch(n: u8) -> Result<u8, String> {
    Ok(n)
}

#[graceful::main(flavor = "current_thread", stop_timeout = "5s")]
async fn main() -> Result<ExitCode, String> {
    let inline = count(1, (2, "any type"), "").await.map_err(|error| error.to_string())?;
    let spawned = crunch(4).spawn().await.map_err(|error| error.to_string())?;
    Ok(ExitCode::from(inline + spawned))
}
