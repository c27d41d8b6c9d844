#[graceful::main(colour = "red")]
async fn unknown() {}

#[graceful::main(stop_timout = "25s")]
async fn misspelt() {}

#[graceful::main(deadline = "25s", timeout = "5s")]
async fn main() {
    consume().spawn();
    fetch().spawn();
}

#[graceful::worker(drain = "5s", grace = "5s")]
async fn consume() {}

#[graceful::worker(stop-timeout = "5s", on_failure = "restart", max-restarts = 3)]
async fn fetch() {}

#[graceful::test(unhandled_panic = "shutdown_runtime")]
async fn works() {}

#[graceful::worker(restart = true, on_panic = "log")]
async fn restarted() {}

#[graceful::worker(on_error = "log", cron = "1h")]
async fn repeated() {}

#[graceful::worker(schedule = "1h")]
async fn scheduled() {}
