//! `#[tracing::instrument]`, above or below: the body runs in a span with the user's name.

use tracing::{Metadata, Span, instrument};

type Name = Option<&'static str>;

/// The name of the span that is entered.
fn current() -> Name {
    Span::current().metadata().map(Metadata::name)
}

#[instrument]
#[graceful::worker]
async fn above(n: u8) -> Result<Name, String> {
    tokio::task::yield_now().await;
    Ok(current())
}

#[graceful::worker]
#[instrument(skip_all, fields(n = n), err)]
async fn below(n: u8) -> Result<Name, String> {
    tokio::task::yield_now().await;
    Ok(current())
}

#[graceful::worker(blocking)]
#[instrument]
fn blocking(n: u8) -> Result<Name, String> {
    Ok(current())
}

#[cfg_attr(test, graceful::main(flavor = "current_thread"))]
#[cfg_attr(test, instrument)]
async fn entry(n: u8) {
    assert_eq!((current(), n), (Some("entry"), 1));
}

#[graceful::test]
#[instrument]
async fn a_worker_runs_in_its_span() {
    let entered = tracing::subscriber::set_default(tracing_subscriber::registry());
    let workers = (above(1), below(2), blocking(3));
    assert_eq!(current(), None, "they are only made, they do not run");
    assert_eq!(workers.0.await, Ok(Some("above")));
    assert_eq!(workers.1.await, Ok(Some("below")));
    drop(entered);
    drop(workers.2);
}

#[test]
fn an_entry_point_runs_in_its_span() {
    let _entered = tracing::subscriber::set_default(tracing_subscriber::registry());
    let success = format!("{:?}", std::process::ExitCode::SUCCESS);
    assert_eq!(crate::exit_code(|| entry(1)), success);
}
