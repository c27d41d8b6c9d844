#[graceful::main(drain: "5s", stop_timeout =)]
async fn main() {}
