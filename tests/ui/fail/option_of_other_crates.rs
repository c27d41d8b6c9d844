#[graceful::test(unhandled_panic = "shutdown_runtime")]
async fn works() {}

#[graceful::worker(grace = "5s")]
async fn consume() {}

#[graceful::main(timeout = "5s")]
async fn main() {
    consume().spawn();
}
