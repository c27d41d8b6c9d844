#[graceful::main(upgrade = "SIGTERM")]
async fn stops() {}

#[graceful::main(dump = "SIGUSR2", upgrade = "SIGUSR2")]
async fn dumps() {}

#[graceful::main(upgrade = "SIGABRT")]
async fn main() {}
