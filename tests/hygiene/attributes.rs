//! Other attributes of the function still mean what they meant.

#![deny(warnings, missing_docs, clippy::pedantic)]

/// Public, documented, deprecated, and its result must be used with a message of its own.
#[graceful::worker]
#[deprecated(note = "take the other one")]
#[must_use = "it is what you came for"]
pub(crate) async fn old(n: u8) -> Result<u8, String> {
    Ok(n)
}

/// A bare `#[must_use]` adds nothing to what `Worker` says.
#[must_use]
#[graceful::worker]
#[inline]
pub(crate) async fn plain(n: u8) -> Result<u8, String> {
    Ok(n)
}

#[cfg_attr(test, graceful::worker)]
#[allow(non_snake_case)]
#[expect(unused_variables, reason = "one level for both functions")]
async fn ALLOWED(X: u8) {
    let Y = 3;
}

#[graceful::worker]
#[expect(dead_code, reason = "never called, and rustc says so once")]
async fn never_called(n: u8) -> Result<u8, String> {
    Ok(n)
}

#[graceful::worker]
#[cfg(any())]
async fn not_here(n: Missing) {}

#[graceful::test]
#[should_panic(expected = "as it should")]
async fn should_panic_is_kept() {
    panic!("as it should");
}

#[graceful::test]
#[allow(deprecated)]
async fn workers_with_attributes_run() {
    assert_eq!(old(1).await, Ok(1));
    assert_eq!(plain(2).await, Ok(2));
    ALLOWED(3).await;
}
