//! The strictest lints have nothing to say about generated code.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub)]
#![deny(clippy::pedantic, clippy::nursery, clippy::cargo)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::absolute_paths)]
#![deny(clippy::missing_docs_in_private_items, clippy::shadow_reuse, clippy::shadow_same)]
#![deny(clippy::std_instead_of_core, clippy::default_numeric_fallback, clippy::missing_inline_in_public_items)]
#![deny(clippy::exhaustive_structs, clippy::question_mark_used)]

use core::fmt::Error;
use std::process::ExitCode;

/// An argument that is handed on, one that is not, one that is copied, and no await.
#[graceful::worker]
async fn relay(first: Box<u8>, _second: u8, mut third: u8) -> Result<u8, Error> {
    third = third.saturating_add(*first);
    if third == 0 { Err(Error) } else { Ok(third) }
}

/// Could be `const`, were it not a worker.
#[graceful::worker(blocking)]
fn crunch(n: u8) {
    let _ = n;
}

/// Takes what it does not need to own.
#[graceful::main(stop_timeout = "5s", flavor = "current_thread")]
async fn run(code: u8) -> ExitCode {
    ExitCode::from(code)
}

/// Nothing to wait for.
#[graceful::test]
async fn strict_workers_run() {
    assert_eq!(relay(Box::new(1), 2, 3).await, Ok(4), "one and three");
    crunch(3).await;
}

/// The exit code is the body's.
#[test]
fn a_strict_entry_point_runs() {
    let expected = ExitCode::from(4);
    assert_eq!(crate::exit_code(|| run(4)), format!("{expected:?}"), "four");
}

/// Where `return` is written out, it is in generated code too.
mod explicit {
    #![deny(clippy::implicit_return)]
    #![allow(clippy::needless_return, reason = "the other way is the one above")]

    use super::{Error, ExitCode};

    #[graceful::worker(every = "1s", initial_delay = "1s")]
    async fn repeated(n: u8) -> Result<u8, Error> {
        return n.checked_add(1).ok_or(Error);
    }

    #[graceful::main(flavor = "current_thread")]
    pub(super) async fn entry() -> ExitCode {
        return ExitCode::from(6);
    }

    #[graceful::test]
    async fn a_worker_that_returns_runs() {
        let result = repeated(1).await;
        assert!(matches!(result, Ok(2)), "{result:?}");
    }
}

/// The exit code is the body's, returned or not.
#[test]
fn an_entry_point_that_returns_runs() {
    let expected = ExitCode::from(6);
    assert_eq!(crate::exit_code(explicit::entry), format!("{expected:?}"), "six");
}
