const LIMIT: u64 = 25;

#[graceful::main(stop_timeout = LIMIT)]
async fn main() {}
