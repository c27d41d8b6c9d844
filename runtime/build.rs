//! Nothing is built. Cargo asks for a build script where a package claims `links`, and the claim is the point: two
//! versions of this crate in one process would be two lifecycles that know nothing of each other. Cargo refuses
//! them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
