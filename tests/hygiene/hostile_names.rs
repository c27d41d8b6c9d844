//! Every name that generated code could mean by accident is taken.

#![allow(dead_code, unused_macros, non_camel_case_types)]

mod std {}
mod core {}
mod tokio {}
mod graceful {}
mod alloc {}

struct Result;
struct Ok;
struct Err;
struct Option;
struct Some;
struct None;
struct Send;
struct Sync;
struct Future;
struct IntoFuture;
struct Clone;
struct Duration;
struct ExitCode;
struct String;
struct Worker;
struct Body;
struct Builder;
struct Function;
struct Stage;
struct u32;
struct str;

macro_rules! taken {
    ($($name:ident)*) => { $(macro_rules! $name { () => { compile_error!("the wrong macro") } })* };
}
taken!(file line module_path concat assert panic matches);

const fn drop() {}
const fn main() {}

#[::graceful::worker]
async fn once(judge: u8, result: u8) -> ::std::result::Result<u8, &'static ::std::primitive::str> {
    ::std::future::ready(()).await;
    ::std::result::Result::Ok(judge + result)
}

#[::graceful::worker(blocking)]
fn blocking(blocking: u8) -> ::std::result::Result<u8, ::std::string::String> {
    blocking.checked_add(1).ok_or(::std::string::String::new())
}

#[::graceful::main(stop_timeout = "5s", flavor = "current_thread")]
async fn run(run: u8) -> ::std::process::ExitCode {
    ::std::process::ExitCode::from(run)
}

#[::graceful::test]
async fn test() {
    ::std::assert_eq!(once(1, 2).await, ::std::result::Result::Ok(3));
    ::std::assert!(::std::matches!(blocking(3).spawn().await, ::std::result::Result::Ok(4)));
}

#[::core::prelude::v1::test]
fn an_entry_point_and_its_argument_may_share_a_name() {
    let expected = ::std::process::ExitCode::from(9);
    ::std::assert_eq!(crate::exit_code(|| run(9)), ::std::format!("{expected:?}"));
}
