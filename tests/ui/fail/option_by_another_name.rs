#[graceful::main(deadline = "25s")]
async fn main() {}
