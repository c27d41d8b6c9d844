//! Attributes and test frameworks of other crates, above and below ours, in the order that each of them documents.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_recursion::async_recursion;
use proptest::prelude::*;
use rstest::rstest;
use serial_test::serial;
use test_case::test_case;

#[graceful::worker]
async fn doubled(number: u8) -> Result<u8, String> {
    tokio::task::yield_now().await;
    number.checked_mul(2).ok_or_else(|| "too much".to_owned())
}

#[rstest]
#[case(1, 2)]
#[case(2, 4)]
#[graceful::test]
async fn rstest_above(#[case] number: u8, #[case] twice: u8) {
    assert_eq!(doubled(number).spawn().await.unwrap(), twice);
}

#[test_case(1, 2; "one")]
#[test_case(2, 4; "two")]
#[graceful::test]
async fn test_case_above(number: u8, twice: u8) {
    assert_eq!(doubled(number).spawn().await.unwrap(), twice);
}

#[graceful::test]
#[test_log::test]
async fn test_log_below() {
    tracing::info!("once");
    assert_eq!(doubled(1).spawn().await.unwrap(), 2);
}

#[test_log::test(graceful::test)]
async fn test_log_around() {
    assert_eq!(doubled(1).spawn().await.unwrap(), 2);
}

#[test_log::test]
#[graceful::test]
async fn test_log_above() {
    assert_eq!(doubled(1).spawn().await.unwrap(), 2);
}

#[graceful::test]
#[ntest::timeout(5000)]
async fn ntest_below() {
    assert_eq!(doubled(1).spawn().await.unwrap(), 2);
}

#[graceful::test]
#[ntest::timeout(50)]
#[should_panic(expected = "timeout")]
async fn ntest_below_ends_a_test_that_takes_too_long() {
    std::thread::sleep(Duration::from_secs(1));
}

/// How many of the serial tests are running.
static RUNNING: AtomicU32 = AtomicU32::new(0);

async fn alone() {
    assert_eq!(RUNNING.fetch_add(1, Ordering::SeqCst), 0);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(RUNNING.fetch_sub(1, Ordering::SeqCst), 1);
}

#[graceful::test]
#[serial]
async fn serial_below() {
    alone().await;
}

#[serial]
#[graceful::test]
async fn serial_above() {
    alone().await;
}

#[graceful::test]
async fn proptest_within() {
    assert_eq!(doubled(3).spawn().await.unwrap(), 6);
    proptest!(|(number in 0_u8..100)| {
        prop_assert_eq!(futures_util::FutureExt::now_or_never(std::future::ready(number)), Some(number));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn proptest_around(number in 0_u8..100) {
        let code = crate::exit_code(|| doubles(number));
        prop_assert_eq!(code, format!("{:?}", ExitCode::SUCCESS));
    }
}

#[graceful::main(flavor = "current_thread")]
async fn doubles(number: u8) {
    assert_eq!(doubled(number).spawn().await.unwrap(), number * 2);
}

#[graceful::test]
async fn insta_within() {
    let doubled = doubled(21).spawn().await.unwrap();
    insta::assert_snapshot!(doubled, @"42");
}

#[graceful::worker]
#[fastrace::trace]
async fn traced(number: u8) -> Result<u8, String> {
    doubled(number).await
}

#[graceful::test]
#[fastrace::trace]
async fn fastrace_below() {
    assert_eq!(traced(1).spawn().await.unwrap(), 2);
}

#[graceful::worker]
#[hotpath::measure]
async fn measured(number: u8) -> Result<u8, String> {
    doubled(number).await
}

#[graceful::main(flavor = "current_thread")]
#[hotpath::main]
async fn measures() {
    assert_eq!(measured(1).spawn().await.unwrap(), 2);
}

#[test]
fn hotpath_below() {
    assert_eq!(crate::exit_code(measures), format!("{:?}", ExitCode::SUCCESS));
}

async fn sum_to(number: u8) -> u32 {
    summed(number).await
}

#[async_recursion]
async fn summed(number: u8) -> u32 {
    if number == 0 { 0 } else { u32::from(number) + sum_to(number - 1).await }
}

#[graceful::worker]
#[async_recursion]
async fn sums(number: u8) -> Result<u32, String> {
    Ok(summed(number).await)
}

#[graceful::test]
#[async_recursion]
async fn async_recursion_below() {
    assert_eq!(sums(4).spawn().await.unwrap(), 10);
}

/// A plain function that calls the worker may have a builder.
#[bon::builder]
fn consume(number: u8, #[builder(default)] add: u8) -> graceful::WorkerHandle<Result<u8, String>> {
    doubled(number + add).spawn()
}

#[graceful::test]
async fn bon_around() {
    assert_eq!(consume().number(1).add(2).call().await.unwrap(), 6);
}
