//! Jobs that a library runs: the one in hand at the stop.

use std::process::Command;

use child::{Child, End};

fn apalis(way: &str) -> End {
    let service = Child::start(Command::new(env!("CARGO_BIN_EXE_jobs")).arg(way));
    service.prints("0: begins");
    service.terminate();
    let end = service.end();
    end.assert_code(0);
    end
}

#[test]
fn apalis_finishes_the_job_in_hand_when_its_monitor_is_told() {
    let end = apalis("told");
    end.assert_printed("the monitor ended: Ok(())");
    let count = |what: &str| end.printed().iter().filter(|line| line.ends_with(what)).count();
    assert_eq!(count(": begins"), count(": done"), "{end}");
}

/// Whether it is dropped, or its own timeout passes, which it calls `Ok`.
#[test]
fn apalis_cuts_the_job_in_hand_where_its_monitor_is_dropped_or_out_of_time() {
    for way in ["dropped", "told, with a timeout"] {
        let end = apalis(way);
        end.assert_printed("the monitor ended: Ok(())");
        assert!(!end.printed().contains(&"0: done"), "{way}\n{end}");
    }
}

fn cron(way: &str) -> End {
    let service = Child::start(Command::new(env!("CARGO_BIN_EXE_cron")).arg(way));
    service.prints("begins");
    service.terminate();
    let end = service.end();
    end.assert_code(0);
    end.assert_printed("shutdown() says Ok(())");
    end
}

#[test]
fn a_scheduled_job_with_a_hold_is_finished() {
    cron("held").assert_printed("done");
}

#[test]
fn a_scheduled_job_is_cut_by_a_shutdown_that_is_ok() {
    let end = cron("shutdown");
    assert!(!end.printed().contains(&"done"), "{end}");
}
