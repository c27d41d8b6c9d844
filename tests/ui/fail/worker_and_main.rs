#[graceful::worker]
#[graceful::main]
async fn run() {}

fn main() {}
