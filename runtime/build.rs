//! Nothing is built. Cargo asks for a build script where a package claims `links`, and the claim is the point: two
//! versions of this crate in one process would be two lifecycles that know nothing of each other. Cargo refuses
//! them.

//!
//! What it tells the compiler is where tokio has task dumps: `cfg(taskdump)`.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(taskdump)");
    let is = |name: &str, values: &[&str]| var(name).is_ok_and(|value| values.is_empty() || values.contains(&&*value));
    if is("CARGO_FEATURE_TASKDUMP", &[])
        && is("CARGO_CFG_TOKIO_UNSTABLE", &[])
        && is("CARGO_CFG_TARGET_OS", &["linux"])
        && is("CARGO_CFG_TARGET_ARCH", &["aarch64", "s390x", "x86", "x86_64"])
    {
        println!("cargo::rustc-cfg=taskdump");
    }
}
