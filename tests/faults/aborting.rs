//! The program that is built with `panic = "abort"`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const NAME: &str = "fault-aborting";

/// Its path. Built at the first call: only the program itself, the libraries are those of all other programs.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build)
}

fn build() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_fault")).parent().expect("a program is in a folder");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["rustc", "--offline", "--quiet", "--features", "aborting", "--bin", NAME])
        .arg("--target-dir")
        .arg(folder.parent().expect("a profile has a folder"))
        .args(["--", "-C", "panic=abort"]);
    let built = cargo.output().expect("cargo runs");
    assert!(built.status.success(), "no program with panic=abort:\n{}", String::from_utf8_lossy(&built.stderr));
    folder.with_file_name("debug").join(NAME)
}
