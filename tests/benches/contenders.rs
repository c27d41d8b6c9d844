//! The contenders: this crate and its peers, a program each, and how these programs are built.

use std::env::{current_exe, var_os};
use std::path::PathBuf;
use std::process::Command;

pub(crate) const GRACEFUL: &str = "graceful";
pub(crate) const RAW: &str = "raw tokio";
pub(crate) const HAND_WRITTEN: &str = "hand-written";
pub(crate) const NO_HANDLER: &str = "no handler";

/// A program, and its name in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    program: &'static str,
}

/// The first so many can do every task.
const CRATES: usize = 7;

const CONTENDERS: [Contender; 9] = [
    contender(GRACEFUL, "contender-graceful"),
    contender(RAW, "contender-raw-tokio"),
    contender(HAND_WRITTEN, "contender-hand-written"),
    contender("tokio-graceful", "contender-tokio-graceful"),
    contender("tokio-graceful-shutdown", "contender-tokio-graceful-shutdown"),
    contender("elegant-departure", "contender-elegant-departure"),
    contender("async-shutdown", "contender-async-shutdown"),
    contender(NO_HANDLER, "contender-no-handler"),
    contender("sigwait", "contender-sigwait"),
];

/// This crate with nothing to do, as the process's own `main`.
const GRACEFUL_MAIN: Contender = contender(GRACEFUL, "contender-graceful-main");

/// The program whose workers come and go.
pub(crate) const GROWTH: Contender = contender(GRACEFUL, "growth");

const fn contender(name: &'static str, program: &'static str) -> Contender {
    Contender { name, program }
}

/// The contenders of these names, in this order.
pub(crate) fn named(names: &[&str]) -> Vec<Contender> {
    let find = |name: &&str| CONTENDERS.into_iter().find(|one| one.name == *name);
    names.iter().filter_map(find).collect()
}

/// This crate, and all that can do what it does.
pub(crate) fn all() -> Vec<Contender> {
    CONTENDERS[..CRATES].to_vec()
}

/// The same, for the task `idle`.
pub(crate) fn idle() -> Vec<Contender> {
    let mut all = all();
    all[0] = GRACEFUL_MAIN;
    all
}

impl Contender {
    /// Where [`build`] puts it.
    pub(crate) fn path(self) -> PathBuf {
        target().join("release").join(self.program)
    }
}

/// Builds the contenders as `cargo run` built this program, with the same features and versions for all.
///
/// # Panics
///
/// When they do not build.
pub(crate) fn build() {
    let cargo = var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--bins", "--features", "contenders"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .arg("--target-dir")
        .arg(target())
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "the contenders do not build");
}

/// The target directory that this program was built in.
fn target() -> PathBuf {
    let this = current_exe().expect("this program has a path");
    let target = this.ancestors().nth(2);
    target.expect("cargo puts it in a folder of the target's").to_owned()
}
