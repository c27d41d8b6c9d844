#[graceful::main(signals = ["SIGINT"])]
async fn main() {}
