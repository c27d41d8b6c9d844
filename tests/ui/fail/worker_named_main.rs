#[graceful::worker]
async fn main() {}
