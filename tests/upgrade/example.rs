//! The example, as its reader runs it.

use std::process::Command;

use graceful_tests::{Child, Signal};
use nix::sys::signal::kill;

use crate::service::{PATIENCE, get, is_running, number_after, until, until_gone};

#[test]
fn the_example_hands_over_its_port_and_what_it_has_counted() {
    let mut child = Child::start(Command::new(env!("CARGO_BIN_EXE_example-upgrade")).arg("0"));
    child.be_patient(PATIENCE);
    child.prints_part("is served by");
    let printed = child.to_string();
    let (_, rest) = printed.split_once("http://").expect("an address");
    let address = rest.split(' ').next().and_then(|address| address.parse().ok()).expect("an address");
    let old = child.pid();
    for count in 1..=3 {
        assert_eq!(get(address, "/").expect("an answer"), format!("process {old}, answer {count}\n"));
    }
    child.send(Signal::SIGUSR2);
    child.says("graceful[hello#2]: generation 2 serves");
    until_gone(old);
    let answer = get(address, "/").expect("an answer");
    let new = number_after(&answer, "process ").expect("a number");
    assert_eq!(answer, format!("process {new}, answer 4\n"));
    kill(new, Signal::SIGTERM).expect("it is there");
    until("it is gone", || !is_running(new));
}
