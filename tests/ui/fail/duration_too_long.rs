#[graceful::main(stop_timeout = "99999999999999999999s")]
async fn main() {}
