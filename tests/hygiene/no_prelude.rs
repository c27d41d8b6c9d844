//! Nothing is imported, and nothing generated needs an import.

#![no_implicit_prelude]

#[::graceful::worker]
async fn relay(n: u8) -> ::core::result::Result<u8, ::std::string::String> {
    ::core::result::Result::Ok(n)
}

#[::graceful::worker(blocking)]
fn crunch(n: u8) -> ::core::result::Result<u8, ::std::string::String> {
    n.checked_add(1).ok_or(::std::string::String::new())
}

#[::graceful::main(stop_timeout = "5s", signals = ["SIGTERM"], flavor = "current_thread", name = "n")]
async fn run(n: u8) {
    ::core::assert!(::core::matches!(relay(n).await, ::core::result::Result::Ok(3)));
}

#[::graceful::test(stop_timeout = "5s", start_paused)]
async fn works_without_a_prelude() {
    ::core::assert!(::core::matches!(relay(3).await, ::core::result::Result::Ok(3)));
    ::core::assert!(::core::matches!(crunch(3).spawn().await, ::core::result::Result::Ok(4)));
}

#[::core::prelude::v1::test]
fn an_entry_point_works_without_a_prelude() {
    let success = ::std::format!("{:?}", ::std::process::ExitCode::SUCCESS);
    ::core::assert_eq!(crate::exit_code(|| run(3)), success);
}
