use tokio::main;

#[graceful::main]
#[main]
async fn main() {}
