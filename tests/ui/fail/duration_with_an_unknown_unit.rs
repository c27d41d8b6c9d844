#[graceful::main(stop_timeout = "25 seconds")]
async fn main() {}
