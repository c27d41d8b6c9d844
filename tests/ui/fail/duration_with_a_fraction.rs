#[graceful::main(stop_timeout = "1.5s")]
async fn main() {}
