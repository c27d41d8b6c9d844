//! What rustc and clippy say of a function they say once, although an attribute makes two of it.

#![deny(warnings)]

#[graceful::worker]
#[expect(non_snake_case, reason = "said of one of the two functions")]
async fn Shouting(n: u8) -> Result<u8, String> {
    Ok(n)
}

#[graceful::worker]
#[expect(clippy::too_many_arguments, reason = "said of one of the two functions")]
async fn crowded(a: u8, b: u8, c: u8, d: u8, aa: u8, bb: u8, cc: u8, dd: u8) -> Result<u8, String> {
    Ok(a + b + c + d + aa + bb + cc + dd)
}

/// A parameter that is there, and one that is not.
#[graceful::worker]
async fn configured<#[cfg(test)] T: Send + 'static, #[cfg(not(test))] U>(value: T) -> Result<T, String> {
    Ok(value)
}

#[graceful::main(flavor = "current_thread")]
async fn entry<#[cfg(any())] T, #[cfg(test)] U: PartialEq<u8>>(value: U) {
    assert!(value == 3);
}

#[graceful::test]
async fn functions_with_something_to_say_of_them_run() {
    assert_eq!(Shouting(1).await, Ok(1));
    assert_eq!(crowded(1, 1, 1, 1, 1, 1, 1, 1).await, Ok(8));
    assert_eq!(configured(3).await, Ok(3));
}

#[test]
fn an_entry_point_with_a_configured_parameter_runs() {
    assert_eq!(crate::exit_code(|| entry(3_u8)), format!("{:?}", std::process::ExitCode::SUCCESS));
}
