#[graceful::main(dump = "SIGTERM")]
async fn main() {}
