#[graceful::main(stop_timeout = "25s" drain = "5s")]
async fn main() {}
