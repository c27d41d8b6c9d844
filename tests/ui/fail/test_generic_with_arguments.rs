#[graceful::test]
async fn works<T>(value: T) {
    drop(value);
}

fn main() {}
