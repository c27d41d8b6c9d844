//! `at_exit`: a last resort on every way out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::life::lifecycle::Lifecycle;
use crate::model::budget::{EXIT_FUNCTIONS, LAST_LINES_AT_LEAST};
use crate::model::name::ToName;
use crate::model::outcome;
use crate::os::sys;
use crate::say::lines;
use crate::work::ambient;
use crate::work::ambient::Caller;

/// Runs when the lifecycle, and with it the process, ends, whatever ends it: main and all workers have ended, the deadline
/// has passed, Ctrl-C was pressed a second time, code called [`std::process::exit`] (on Unix). For what would be left
/// behind, and takes no time: a terminal in raw mode, a socket file, a lock file.
///
/// Whatever can wait, fail or take long belongs in [`after_stop`](crate::after_stop) or [`keep`](crate::keep), which
/// come before it; but where the deadline passes because a destructor or a thread hangs, or on a second Ctrl-C, these
/// are not run, and `at_exit` is.
///
/// All of them together have 50 ms, the last registered first; one that takes more than its share of that lets the next
/// one begin beside it. When the time is over the process ends; a line names those that had not ended. A panic is a line
/// as well. Neither changes the exit code. They run on a thread of this crate, and where the system grants none, not at
/// all. None may end the process itself: the exit code would be that one's, and the report lost. The same name replaces an earlier function. One that is registered when the others have run is run at once.
///
/// No function runs at a death by SIGKILL, by a signal that nothing handles, such as SIGSEGV, or by an abort.
///
/// ```no_run
/// # fn enable_raw_mode() {} fn disable_raw_mode() {}
/// # fn f() {
/// enable_raw_mode();
/// graceful::at_exit("terminal", disable_raw_mode);
/// # }
/// ```
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn at_exit<'a, F: FnOnce() + Send + 'static>(name: &'a (impl ToName<'a> + ?Sized), function: F) {
    let life = Caller::expect("at_exit()").life;
    if !life.settings.is_test {
        sys::at_exit(run_at_exit);
    }
    let name = name.to_name().into_owned().into();
    if let Err(late) = life.teardown.exit_functions.add(name, Box::new(function)) {
        late();
    }
}

/// Runs them, if that has not been done, and says which did not end well.
pub(crate) fn run(life: &Lifecycle, within: Duration) {
    let ended = life.teardown.exit_functions.run(within);
    for (name, payload) in ended.panicked {
        life.writer.say(lines::exit_function_panicked(&name, payload.as_ref()));
        outcome::discard(payload);
    }
    if !ended.left.is_empty() {
        life.writer.say(lines::exit_functions_left(&ended.left, within));
    }
}

/// What `std::process::exit` calls.
extern "C" fn run_at_exit() {
    let run = || {
        if let Some(life) = ambient::of_process() {
            run(&life, EXIT_FUNCTIONS);
            life.writer.flush(LAST_LINES_AT_LEAST);
        }
    };
    let _ = catch_unwind(AssertUnwindSafe(run)).map_err(std::mem::forget);
}
