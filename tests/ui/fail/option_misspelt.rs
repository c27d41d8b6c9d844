#[graceful::main(stop_timout = "25s")]
async fn main() {}
