//! `?` on a worker's handle, whatever the worker's error is: in a function that returns any of the usual errors, it
//! gives an error with the same text and the same source.

use std::error::Error;
use std::fmt;

use graceful::WorkerError;

type Boxed = Box<dyn Error + Send + Sync>;

/// An error with a cause.
#[derive(Debug)]
struct Broken(std::num::ParseIntError);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn broken() -> Broken {
    Broken("x".parse::<u8>().unwrap_err())
}

#[graceful::worker(on_failure = "log")]
async fn typed() -> Result<u8, Broken> {
    Err(broken())
}

#[graceful::worker(on_failure = "log")]
async fn boxed() -> Result<u8, Boxed> {
    Err(broken().into())
}

#[graceful::worker(on_failure = "log")]
async fn any() -> anyhow::Result<u8> {
    Err(anyhow::Error::new(broken()))
}

#[graceful::worker(on_failure = "log")]
async fn eyre() -> eyre::Result<u8> {
    Err(eyre::Report::new(broken()))
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
                assert_eq!(both!(text), Err(("broken".to_owned(), None)));
                assert_eq!(both!(literal), Err(("broken".to_owned(), None)));
                assert_eq!(both!(nothing), Ok(()));
            }
        }
    };
}

passed_on!(into_anyhow, anyhow::Error, |error| seen(error.as_ref()));
passed_on!(into_eyre, ::eyre::Report, |error| seen(error.as_ref()));
passed_on!(into_a_box, Boxed, |error| seen(error.as_ref()));
passed_on!(into_a_box_of_this_thread, Box<dyn Error>, |error| seen(error.as_ref()));

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
