#[graceful::main(stop_timeout = "25")]
async fn main() {}
