//! The errors of the attributes for wrong code, and rustc's own errors through them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The toolchain that `ui/fail-rustc` was recorded with.
const RECORDED_WITH: &str = "rustc 1.95.0 ";

#[test]
fn the_attributes_say_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}

#[test]
fn rustc_points_at_the_users_own_tokens() {
    let version = Command::new("rustc").arg("--version").output();
    let version = version.expect("rustc runs").stdout;
    let version = String::from_utf8_lossy(&version);
    if !version.starts_with(RECORDED_WITH) {
        eprintln!("SKIPPED: ui/fail-rustc was recorded with {RECORDED_WITH}, this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("ui/fail-rustc/*.rs");
}

#[test]
fn ten_mistakes_give_ten_errors() {
    let stderr = stderr(&rustc("ui/fail/ten_mistakes.rs", "graceful", &[]));
    assert_eq!(errors(&stderr), 10, "{stderr}");
}

#[test]
fn mistakes_in_a_body_read_as_without_the_attribute() {
    let file = "ui/rustc/mistakes_in_bodies.rs";
    let with = stderr(&rustc(file, "graceful", &[]));
    let without = stderr(&rustc(file, "graceful", &["--cfg", "plain"]));
    assert_eq!(with, without);
    assert_eq!(errors(&with), 15, "{with}");
}

#[test]
fn warnings_read_as_without_the_attribute() {
    let file = "ui/rustc/lints.rs";
    let with = stderr(&rustc(file, "graceful", &[]));
    let without = stderr(&rustc(file, "graceful", &["--cfg", "plain"]));
    assert_eq!(with, without);
    assert!(with.contains("is never used") && with.contains("missing documentation"), "{with}");
}

#[test]
fn the_crate_may_have_another_name() {
    let built = rustc("ui/rustc/renamed.rs", "renamed", &[]);
    assert!(built.status.success(), "{}", stderr(&built));
}

#[test]
fn edition_2018_compiles_and_runs() {
    compiles_and_runs("2018");
}

#[test]
fn edition_2021_compiles_and_runs() {
    compiles_and_runs("2021");
}

#[test]
fn edition_2024_compiles_and_runs() {
    compiles_and_runs("2024");
}

fn compiles_and_runs(edition: &str) {
    let name = format!("edition_{edition}");
    let arguments = ["--edition", edition, "--emit", "link", "--crate-name", &name];
    let built = rustc("ui/rustc/every_edition.rs", "graceful", &arguments);
    assert!(built.status.success(), "{}", stderr(&built));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let ran = Command::new(program).status().expect("the program starts");
    assert_eq!(ran.code(), Some(7));
}

/// What rustc wrote.
fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The number of errors, without rustc's own line that counts them.
fn errors(stderr: &str) -> usize {
    let error = |line: &&str| line.starts_with("error") && !line.contains(": aborting due to");
    stderr.lines().filter(error).count()
}

/// Compiles one file against the library that this test was built with, under the name `library`.
fn rustc(file: &str, library: &str, arguments: &[&str]) -> Output {
    let built = std::env::current_exe().expect("a test has a path");
    let built = built.parent().expect("a test is in a folder");
    let mut command = Command::new("rustc");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg(file).args(arguments);
    command.args(["--out-dir", env!("CARGO_TARGET_TMPDIR")]).arg("-L").arg(built);
    for (name, file) in [(library, "graceful"), ("tokio", "tokio")] {
        command.arg("--extern").arg(format!("{name}={}", newest(built, file).display()));
    }
    for (option, value) in [("--edition", "2024"), ("--emit", "metadata")] {
        if !arguments.contains(&option) {
            command.args([option, value]);
        }
    }
    command.output().expect("rustc runs")
}

/// The library called `name` that was built last.
fn newest(built: &Path, name: &str) -> PathBuf {
    let prefix = format!("lib{name}-");
    let named = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.starts_with(&prefix) && file.ends_with(".rlib")
    };
    let files = std::fs::read_dir(built).expect("the folder of this test can be read");
    files
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(named)
        .max_by_key(|path| path.metadata().and_then(|it| it.modified()).ok())
        .expect("this test was linked to it")
}
