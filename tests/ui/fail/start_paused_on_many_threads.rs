#[graceful::test(start_paused, flavor = "multi_thread")]
async fn works() {}

fn main() {}
