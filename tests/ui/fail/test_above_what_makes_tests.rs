#[graceful::test]
#[test_case::test_case(1; "one")]
#[test_case::test_case(2)]
async fn works(value: u8) {
    drop(value);
}

#[graceful::test]
#[rstest]
async fn works_too<T>(#[case] value: T) {
    drop(value);
}

fn main() {}
