#[graceful::test]
trait Consume {
    async fn run();
}

fn main() {}
