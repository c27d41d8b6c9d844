//! Arguments of every shape.

use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::Duration;

struct Point {
    x: u8,
    y: u8,
}

#[graceful::worker]
async fn shapes(
    mut sum: u8,
    (a, b): (u8, u8),
    Point { x, y: down }: Point,
    [head, tail @ ..]: [u8; 3],
    _: Arc<str>,
    _unused: u8,
    whole @ (_, _): (u8, u8),
) -> Result<u8, String> {
    sum += a + b + x + down + head + tail[1] + whole.1;
    Ok(sum)
}

#[graceful::worker]
async fn configured(
    #[cfg(test)] here: u8,
    #[cfg(not(test))] here: Missing,
    #[allow(unused_variables)] ignored: u8,
    #[cfg(any())] nowhere: Missing,
    last: u8,
) -> Result<u8, String> {
    Ok(here + last)
}

#[graceful::worker]
async fn generic<T, const N: usize>(values: [T; N]) -> Result<String, T::Error>
where
    T: TryInto<u8> + Send + 'static,
    T::Error: Debug + Send + 'static,
{
    let mut sum = 0;
    for value in values {
        sum += value.try_into()?;
        tokio::task::yield_now().await;
    }
    Ok(format!("{sum} of {N}"))
}

#[graceful::worker]
async fn chosen_by_the_caller<T: Default + Display + Send + 'static>() -> Result<String, String> {
    Ok(T::default().to_string())
}

#[graceful::worker]
async fn anything(
    shown: impl Display + Send + 'static,
    called: Box<dyn FnOnce(&str) -> usize + Send>,
    pointer: fn(&u8) -> u8,
) -> Result<usize, String> {
    Ok(called(&shown.to_string()) + usize::from(pointer(&1)))
}

#[graceful::worker]
async fn r#loop(r#type: &'static str) -> Result<&'static str, String> {
    Ok(r#type)
}

/// The options of an entry point may use its arguments.
#[graceful::main(stop_timeout = limit, flavor = "current_thread")]
async fn run<T: Display + ?Sized>(limit: Duration, (a, b): (u8, u8), shown: &T, out: &mut String) {
    *out = format!("{shown} {} within {limit:?}", a + b);
}

#[graceful::test]
async fn every_pattern_is_taken_apart() {
    let point = Point { x: 4, y: 5 };
    let sum = shapes(1, (2, 3), point, [6, 0, 2], "".into(), 0, (0, 7));
    assert_eq!(sum.await, Ok(1 + 2 + 3 + 4 + 5 + 6 + 2 + 7));
}

#[graceful::test]
async fn configured_arguments_come_and_go() {
    assert_eq!(configured(1, 2, 3).await, Ok(4));
}

#[graceful::test]
async fn generic_workers_are_chosen_by_type_or_by_turbofish() {
    assert_eq!(generic([1_u16, 2, 3]).await.as_deref(), Ok("6 of 3"));
    assert_eq!(chosen_by_the_caller::<u8>().await.as_deref(), Ok("0"));
    assert_eq!(anything("four", Box::new(str::len), |n| *n).await, Ok(5));
}

#[graceful::test]
async fn keywords_may_be_names() {
    assert_eq!(r#loop("type").await, Ok("type"));
}

#[test]
fn an_entry_point_keeps_its_arguments() {
    let mut out = String::new();
    let code = crate::exit_code(|| run(Duration::from_secs(5), (1, 2), "sum", &mut out));
    assert_eq!(code, format!("{:?}", std::process::ExitCode::SUCCESS));
    assert_eq!(out, "sum 3 within 5s");
}
