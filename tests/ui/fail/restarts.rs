#[graceful::worker(on_failure = "restart", backoff = "10s..100ms")]
async fn backwards() {}

#[graceful::worker(on_failure = "restart", backoff = "10s", max_restarts = 0)]
async fn not_a_range() {}

#[graceful::worker(on_failure = "restart", max_restarts = "3 per minute")]
async fn not_a_rate() {}

#[graceful::worker(on_failure = "restart", max_restarts = 5, backoff = "30s..60s")]
async fn out_of_reach() {}

#[graceful::worker(on_failure = "restart", max_restarts = "20 in 1m")]
async fn out_of_reach_by_default() {}

#[graceful::worker(max_restarts = 5, backoff = "100ms..10s")]
async fn never() {}

fn main() {
    drop((backwards(), not_a_range(), not_a_rate(), out_of_reach(), out_of_reach_by_default(), never()));
}
