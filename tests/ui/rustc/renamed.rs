//! Compiled with the library under the name `renamed`; a module has taken the usual one.

#![deny(warnings)]

mod graceful {}

mod facade {
    pub use renamed as inner;
}

#[renamed::worker(crate = renamed)]
async fn consume(n: u8) -> Result<u8, String> {
    Ok(n)
}

#[facade::inner::worker(crate = "crate::facade::inner", blocking)]
fn crunch(n: u8) -> Result<u8, String> {
    Ok(n)
}

#[renamed::test(crate = facade::inner)]
async fn works() {}

#[renamed::main(crate = ::renamed, signals = ["SIGTERM"])]
async fn main() {
    drop(consume(3).await);
    drop(crunch(3).spawn());
}
