#[graceful::main(stop_timeout = "25s", stop_timeout = "30s")]
async fn main() {}
