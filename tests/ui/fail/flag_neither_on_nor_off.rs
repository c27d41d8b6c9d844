#[graceful::main(reraise = "yes")]
async fn main() {}
