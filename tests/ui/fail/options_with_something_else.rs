#[graceful::main("25s", reraise; name = "api")]
async fn main() {}
