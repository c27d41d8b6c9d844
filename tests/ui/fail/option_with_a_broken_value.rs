#[graceful::main(stop_timeout = , drain = ;, name = "api")]
async fn main() {}
