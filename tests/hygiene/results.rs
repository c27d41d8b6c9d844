//! Everything that an entry point may return, std's way.

use std::fmt::Display;
use std::process::{ExitCode, Termination};

use crate::exit_code;

type Outcome = Result<u8, String>;

#[graceful::main(flavor = "current_thread")]
async fn unit() {}

#[graceful::main(flavor = "current_thread")]
async fn code() -> ExitCode {
    ExitCode::from(3)
}

#[graceful::main(flavor = "current_thread")]
async fn result_of_code(fails: bool) -> Result<ExitCode, Box<dyn std::error::Error>> {
    if fails { Err("as asked")? } else { Ok(ExitCode::from(4)) }
}

#[graceful::main(flavor = "current_thread")]
async fn some_termination() -> impl Termination + use<> {
    ExitCode::from(5)
}

#[graceful::main(flavor = "current_thread")]
async fn never(code: i32) -> ! {
    panic!("{code}");
}

#[graceful::main(flavor = "current_thread")]
async fn not_written_yet(shown: &(impl Display + ?Sized)) -> Result<(), String> {
    todo!("{shown}")
}

#[graceful::worker]
async fn through_an_alias(n: u8) -> Outcome {
    Ok(n)
}

#[graceful::worker]
async fn not_written_either(_n: u8) -> Outcome {
    todo!()
}

#[graceful::worker]
async fn explicit_unit() -> () {}

#[graceful::test]
async fn a_test_may_fail_with_an_error() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(through_an_alias("3".parse()?).await?, 3);
    explicit_unit().await;
    drop(not_written_either(3));
    Ok(())
}

#[test]
fn the_exit_code_is_what_std_would_make_of_the_result() {
    let shown = |code: ExitCode| format!("{code:?}");
    assert_eq!(exit_code(unit), shown(ExitCode::SUCCESS));
    assert_eq!(exit_code(code), shown(ExitCode::from(3)));
    assert_eq!(exit_code(|| result_of_code(false)), shown(ExitCode::from(4)));
    assert_eq!(exit_code(|| result_of_code(true)), shown(ExitCode::FAILURE));
    assert_eq!(exit_code(some_termination), shown(ExitCode::from(5)));
    assert_eq!(exit_code(|| never(3)), shown(ExitCode::from(101)));
    assert_eq!(exit_code(|| not_written_yet("this")), shown(ExitCode::from(101)));
}
