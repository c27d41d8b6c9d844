#[graceful::main(stop_timeout = "5s", drain = "5s")]
async fn main() {}

#[graceful::main(stop_timeout = "1m", drain = "31s")]
async fn more() {}

#[graceful::main(drain = "30s")]
async fn default() {}
