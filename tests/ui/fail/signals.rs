#[graceful::main(signals = ["SIGTERM", "SIGINT", "SIGTERM"])]
async fn twice() {}

#[graceful::main(signals = ["SIGTERM", "SIGKILL"])]
async fn uncatchable() {}

#[graceful::main(signals = ["SIGTERM", "INT", "SIGWINCH"])]
async fn unknown() {}

#[graceful::main(signals = "SIGTERM")]
async fn not_a_list() {}

#[graceful::main(signals = ["SIGINT"])]
async fn without_sigterm() {}

#[graceful::main(dump = "SIGTERM")]
async fn main() {}
