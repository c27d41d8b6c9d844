#[graceful::main(stop_timeout = "5s", drain = "5s")]
async fn main() {}
