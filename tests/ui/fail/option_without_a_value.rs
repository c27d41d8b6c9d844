#[graceful::main(stop_timeout)]
async fn main() {}
