#[graceful::main(stop_timeout("25s"))]
async fn main() {}
