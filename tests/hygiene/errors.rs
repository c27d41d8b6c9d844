//! `?` on a worker's handle, whatever the worker's error is: in a function that returns any of the usual errors, it
//! gives an error with the same text and the same source.

use std::error::Error;
use std::fmt;

use graceful::WorkerError;
use miette::IntoDiagnostic;

type Boxed = Box<dyn Error + Send + Sync>;

/// An error with a cause. A number makes it another type, of which no other worker has told how its source is found.
#[derive(Debug)]
struct Broken<const N: u8 = 0>(std::num::ParseIntError);

impl<const N: u8> fmt::Display for Broken<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl<const N: u8> Error for Broken<N> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn broken<const N: u8>() -> Broken<N> {
    Broken("x".parse::<u8>().unwrap_err())
}

#[graceful::worker(on_failure = "log")]
async fn typed() -> Result<u8, Broken> {
    Err(broken())
}

#[graceful::worker(on_failure = "log")]
async fn boxed() -> Result<u8, Boxed> {
    Err(broken::<0>().into())
}

#[graceful::worker(on_failure = "log")]
async fn any() -> anyhow::Result<u8> {
    Err(anyhow::Error::new(broken::<0>()))
}

#[graceful::worker(on_failure = "log")]
async fn eyre() -> eyre::Result<u8> {
    Err(eyre::Report::new(broken::<0>()))
}

#[graceful::worker(on_failure = "log")]
async fn diagnosed() -> miette::Result<u8> {
    Err(broken::<0>()).into_diagnostic()
}

#[graceful::worker(on_failure = "log")]
async fn text() -> Result<u8, String> {
    Err("broken".to_owned())
}

#[graceful::worker(on_failure = "log")]
async fn literal() -> Result<u8, &'static str> {
    Err("broken")
}

#[graceful::worker]
async fn nothing() {}

/// Text and source of an error, as any caller sees them.
fn seen(error: &(dyn Error + 'static)) -> (String, Option<String>) {
    (error.to_string(), error.source().map(ToString::to_string))
}

fn with_source() -> (String, Option<String>) {
    ("broken".to_owned(), Some("invalid digit found in string".to_owned()))
}

/// Functions that pass an error on as it is, and boxed.
macro_rules! passed_on {
    ($name:ident, $error:ty, $seen:expr) => {
        mod $name {
            use super::*;

            macro_rules! both {
                ($worker:ident) => {{
                    async fn plain() -> Result<(), $error> {
                        super::$worker().spawn().await?;
                        Ok(())
                    }
                    async fn in_a_box() -> Result<(), $error> {
                        super::$worker().spawn().await.map_err(WorkerError::boxed)?;
                        Ok(())
                    }
                    let see: fn($error) -> (String, Option<String>) = $seen;
                    let (plain, in_a_box) = (plain().await.map_err(see), in_a_box().await.map_err(see));
                    assert_eq!(plain, in_a_box);
                    plain
                }};
            }

            #[graceful::test]
            async fn takes_every_workers_error_with_its_source() {
                assert_eq!(both!(typed), Err(with_source()));
                assert_eq!(both!(boxed), Err(with_source()));
                assert_eq!(both!(any), Err(with_source()));
                assert_eq!(both!(eyre), Err(with_source()));
                assert_eq!(both!(diagnosed), Err(with_source()));
                assert_eq!(both!(text), Err(("broken".to_owned(), None)));
                assert_eq!(both!(literal), Err(("broken".to_owned(), None)));
                assert_eq!(both!(nothing), Ok(()));
            }
        }
    };
}

passed_on!(into_anyhow, anyhow::Error, |error| seen(error.as_ref()));
passed_on!(into_eyre, ::eyre::Report, |error| seen(error.as_ref()));
passed_on!(into_miette, ::miette::Report, |error| seen(AsRef::<dyn Error>::as_ref(&error)));
passed_on!(into_a_box, Boxed, |error| seen(error.as_ref()));
passed_on!(into_a_box_of_this_thread, Box<dyn Error>, |error| seen(error.as_ref()));

#[graceful::test]
async fn what_a_report_has_to_show_is_shown_by_the_error_that_passes_it_on() {
    #[graceful::worker(on_failure = "log")]
    async fn reads() -> miette::Result<()> {
        let text = "port = http".to_owned();
        let place = miette::LabeledSpan::at(7..11, "this one");
        let report = miette::miette!(code = "port", help = "write a number", url = "x", labels = [place], "not a port");
        Err(report.with_source_code(text))
    }

    async fn passes_it_on() -> miette::Result<()> {
        reads().spawn().await?;
        Ok(())
    }

    let (own, passed_on) = (reads().await.unwrap_err(), passes_it_on().await.unwrap_err());
    assert_eq!(format!("{own:?}"), format!("{passed_on:?}"));
    assert!(format!("{own:?}").contains("write a number"), "{own:?}");
}

#[graceful::worker(on_failure = "log")]
async fn generic<T: Send + 'static>(value: T) -> Result<T, Broken<1>> {
    drop(value);
    Err(broken())
}

#[graceful::worker(on_failure = "log")]
async fn opaque(value: impl fmt::Display + Send + 'static) -> Result<u8, Broken<2>> {
    drop(value);
    Err(broken())
}

#[graceful::worker(on_failure = "log")]
async fn generic_error<E: Error + Send + 'static>(error: E) -> Result<u8, E> {
    Err(error)
}

#[graceful::worker(on_failure = "log", blocking)]
fn blocking<T: Send + 'static>(value: T) -> Result<T, Broken<4>> {
    drop(value);
    Err(broken())
}

#[graceful::worker(on_failure = "restart", max_restarts = 1, backoff = "0s..0s")]
async fn again<T: Clone + Send + 'static>(value: T) -> Result<T, Broken<5>> {
    drop(value);
    Err(broken())
}

#[graceful::worker(on_failure = "log", every = "1s", blocking)]
fn blocking_again<T: Clone + Send + 'static>(value: T) -> Result<T, Broken<6>> {
    drop(value);
    Err(broken())
}

/// The error of a worker, as `?` passes it on.
async fn failed<R: graceful::Outcome<Error: Error>>(handle: graceful::WorkerHandle<R>) -> (String, Option<String>) {
    seen(&handle.await.err().expect("it fails"))
}

#[graceful::test]
async fn a_generic_workers_error_has_its_source() {
    assert_eq!(failed(generic(3).spawn()).await, with_source());
    assert_eq!(failed(opaque(3).spawn()).await, with_source());
    assert_eq!(failed(generic_error(broken::<3>()).spawn()).await, with_source());
    assert_eq!(failed(blocking(3).spawn()).await, with_source());
    assert_eq!(failed(again(3).on_failure(graceful::OnFailure::Log).spawn()).await, with_source());
    let repeated = blocking_again(3).spawn();
    repeated.stop();
    assert_eq!(failed(repeated).await, with_source());
}

#[graceful::test]
async fn the_error_of_what_is_no_function_has_its_source_in_a_box() {
    let spawned = graceful::spawn("spawned", async { Err::<u8, _>(broken::<7>()) });
    let made = graceful::Worker::new("made", || async { Err::<u8, _>(broken::<8>()) }).spawn();
    let blocked = graceful::spawn_blocking("blocked", || Err::<u8, _>(broken::<9>()));
    assert_eq!(seen(&spawned.await.map_err(WorkerError::boxed).unwrap_err()), with_source());
    assert_eq!(seen(&made.await.map_err(WorkerError::boxed).unwrap_err()), with_source());
    assert_eq!(seen(&blocked.await.map_err(WorkerError::boxed).unwrap_err()), with_source());
}

#[graceful::test]
async fn errors_of_many_workers_are_of_one_type_in_a_box() {
    let failed = [
        typed().spawn().await.map_err(WorkerError::boxed),
        any().spawn().await.map_err(WorkerError::boxed),
        text().spawn().await.map_err(WorkerError::boxed),
    ];
    for failed in failed {
        assert!(matches!(failed, Err(WorkerError::Failed(error)) if error.to_string() == "broken"));
    }
}
