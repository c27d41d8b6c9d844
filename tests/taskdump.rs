//! Where workers wait, in dumps and in reports, of a program built with tokio's task dumps.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "s390x", target_arch = "x86", target_arch = "x86_64")
))]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use graceful_tests::{Child, FLAVOURS, Signal};

/// Its path. Built at the first call, with all it depends on, in a folder of its own: the flag applies to all crates.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = Path::new(env!("CARGO_BIN_EXE_dumps"))
            .ancestors()
            .nth(2)
            .expect("a program is in the folder of a profile")
            .join("taskdump");
        let flags = env::var("RUSTFLAGS").unwrap_or_default();
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            // Not offline: a new machine has not downloaded all of it yet.
            .args(["build", "--locked", "--quiet"])
            .args(["--package", "graceful-taskdump", "--features", "taskdump"])
            .arg("--target-dir")
            .arg(&target)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", format!("{flags} --cfg tokio_unstable").trim())
            // Only lines are looked up.
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .env("CARGO_INCREMENTAL", "0");
        let built = cargo.output().expect("cargo runs");
        assert!(built.status.success(), "no program with task dumps:\n{}", String::from_utf8_lossy(&built.stderr));
        target.join("debug").join("awaits")
    })
}

fn child(case: &str, flavour: &str) -> Child {
    Child::start(Command::new(program()).args([case, flavour]))
}

/// The place of the one line of its source that contains this text.
#[track_caller]
fn line(part: &str) -> String {
    let source = include_str!("taskdump/main.rs").lines();
    let mut found = (1..).zip(source).filter(|(_, line)| line.contains(part));
    let (number, _) = found.next().expect("a line has it");
    assert!(found.next().is_none(), "`{part}` is in more than one line");
    format!("tests/taskdump/main.rs:{number}")
}

#[test]
fn a_report_names_the_await_of_whoever_is_stuck() {
    let (nobody, later) = (line("// nobody"), line("// later"));
    let children = FLAVOURS.map(|flavour| child("waits", flavour));
    for child in &children {
        child.prints("up");
        // A run that has not begun at the stop never does.
        child.prints("ticking");
        child.terminate();
    }
    for end in children.map(Child::end) {
        end.assert_code(124);
        let under = |name: &str| {
            let mut lines = end.stderr.iter().map(|line| line.text.trim_end());
            let found = lines.find(|line| line.contains(&format!("  {name} (tests/taskdump")));
            assert!(found.is_some(), "{name} is not named\n{end}");
            lines
                .map_while(|line| line.strip_prefix("graceful[orders]:     at "))
                // On a machine too busy to trace them at the last moment.
                .map(|place| place.trim_end_matches(", some time before the abort"))
                .collect::<Vec<_>>()
        };
        // All three wait there: the line before says that they are three.
        assert_eq!(under("consume"), [format!("{nobody} <- {}", line("// then"))], "{end}");
        assert_eq!(under("block"), [format!("{nobody} <- {}", line("graceful::spawn(\"block\""))], "{end}");
        assert_eq!(under("ticks"), [format!("{later} <- {}", line("// ticks"))], "{end}");
        let both = under("one_of_two");
        assert_eq!(both.len(), 2, "{end}");
        for arm in [nobody.as_str(), &later] {
            assert!(both.iter().any(|place| place.starts_with(arm)), "{end}");
        }
    }
}

#[test]
fn a_dump_names_the_awaits_and_nothing_stops() {
    for flavour in FLAVOURS {
        let child = child("waits", flavour);
        child.prints("up");
        // The first look-up of a place takes longer than the second.
        for _ in 0..2 {
            child.send(Signal::SIGUSR1);
            child.says("where they wait:");
        }
        child.says(&format!("consume ×3 at {}", line("// first")));
        // A traced poll is no sign of life: it does not count as a poll.
        let began = std::time::Instant::now();
        while !child.to_string().contains("waiting, polled 2 s ago") {
            assert!(began.elapsed() < Duration::from_secs(20), "{child}");
            std::thread::sleep(Duration::from_millis(300));
            child.send(Signal::SIGUSR1);
        }
        child.says(&format!("ticks at {} <- {}", line("// later"), line("// ticks")));
        assert!(!child.to_string().contains("stopping: "), "{child}");
        child.terminate();
        child.end().assert_code(124);
    }
}

#[test]
fn who_blocks_a_thread_is_not_asked_and_holds_up_no_dump() {
    for flavour in FLAVOURS {
        let child = child("spins", flavour);
        child.prints("spinning");
        let asked = child.send(Signal::SIGUSR1);
        let said = child.says("blocking ");
        assert!(said - asked < Duration::from_millis(300), "{child}");
        if flavour == "current_thread" {
            child.says("nobody has said so");
        }
        // A dump waits for answers for a moment only; on a busy machine the second thread may need another.
        let began = std::time::Instant::now();
        while flavour == "multi_thread" && !child.to_string().contains("consume at tests/taskdump/main.rs:") {
            assert!(began.elapsed() < Duration::from_secs(20), "{child}");
            std::thread::sleep(Duration::from_millis(300));
            child.send(Signal::SIGUSR1);
        }
        child.terminate();
        child.end().assert_code(124);
    }
}

#[test]
fn nothing_is_lost_by_being_looked_at() {
    for flavour in FLAVOURS {
        let child = child("counts", flavour);
        child.prints("counting");
        while !child.to_string().contains("counted") {
            child.send(Signal::SIGUSR1);
            std::thread::sleep(Duration::from_millis(20));
        }
        child.terminate();
        let end = child.end();
        end.assert_code(0);
        end.assert_said("receive at tests/taskdump/main.rs:");
    }
}
