#[graceful::test]
#[test]
async fn twice() {}

#[graceful::test]
fn not_async() {}

#[graceful::test]
async fn generic<T>(value: T) {
    drop(value);
}

fn main() {}
