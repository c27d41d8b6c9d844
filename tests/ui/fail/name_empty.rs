#[graceful::main(name = "")]
async fn main() {}
