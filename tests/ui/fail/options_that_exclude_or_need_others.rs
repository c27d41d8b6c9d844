#[graceful::worker(every = "60s", essential)]
async fn repeated_essential() {}

#[graceful::worker(every = "60s", on_failure = "restart")]
async fn repeated_and_restarted() {}

#[graceful::worker(every = "0s")]
async fn repeated_at_once() {}

#[graceful::worker(initial_delay = "1h", on_timeout = "log")]
async fn delayed_once() {}

#[graceful::worker(blocking)]
async fn blocking() {}

fn main() {
    drop((repeated_essential(), repeated_and_restarted(), repeated_at_once(), delayed_once(), blocking()));
}
