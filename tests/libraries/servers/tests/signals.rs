//! The rows of the page's section "Processes and signals".
#![cfg(unix)]

use std::process::Command;

use libraries_servers::{Child, Signal};

const SIGNALS: &str = env!("CARGO_BIN_EXE_signals");

fn terminated(mode: &str, variables: &[(&str, &str)]) -> Child {
    let child = Child::start(Command::new(SIGNALS).arg(mode).envs(variables.iter().copied()));
    child.prints("ready");
    child.terminate();
    child
}

#[test]
fn listeners_of_tokio_and_signal_hook_hear_a_signal_as_well() {
    for mode in ["tokio", "signal-hook"] {
        let end = terminated(mode, &[]).end();
        end.assert_code(0);
        end.assert_said("stopping: SIGTERM");
        end.assert_printed("heard");
    }
}

#[test]
fn a_handler_of_ctrlc_takes_the_signal_away_unless_it_stops() {
    let child = terminated("ctrlc", &[]);
    child.prints("heard");
    child.says("SIGTERM");
    assert!(!child.to_string().contains("stopping"), "{child}");
    drop(child);

    let end = terminated("ctrlc that stops", &[]).end();
    end.assert_code(0);
    end.assert_printed("heard");
}

/// What a library does that "restores" a handler.
#[test]
fn a_default_action_kills() {
    let end = terminated("default", &[]).end();
    assert_eq!(end.signal, Some(Signal::SIGTERM), "{end}");
}
