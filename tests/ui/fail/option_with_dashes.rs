#[graceful::worker(stop-timeout = "5s", on_failure = "restart", max-restarts = 3)]
async fn consume() {}

#[graceful::main(stop-timeout = "25s")]
async fn main() {
    consume().spawn();
}
