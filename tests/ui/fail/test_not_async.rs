#[graceful::test]
fn works() {}

fn main() {}
