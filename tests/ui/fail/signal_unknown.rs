#[graceful::main(signals = ["SIGTERM", "INT", "SIGWINCH"])]
async fn main() {}
