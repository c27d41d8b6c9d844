//! The panic hook of the process, which is the suite's own. In a binary of its own: a process has one hook.

use std::cell::Cell;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

thread_local! {
    /// Whether this thread's tests are those of the test below.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

/// Fails where the test below runs it, and does nothing where it runs as any other.
#[graceful::test]
async fn one_of_many() {
    if IS_OURS.get() {
        graceful::spawn("fails", async { panic!("no route to host") });
    }
}

#[test]
fn tests_that_fail_side_by_side_leave_the_suites_panic_hook_in_its_place() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    const THREADS: usize = 8;
    const EACH: usize = 50;

    let before = take_hook();
    set_hook(Box::new(move |info| {
        if IS_OURS.get() {
            PANICS.fetch_add(1, Ordering::Relaxed);
        } else {
            before(info);
        }
    }));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                IS_OURS.set(true);
                for _ in 0..EACH {
                    assert!(catch_unwind(one_of_many).is_err(), "it did not fail");
                }
            });
        }
    });
    // The worker's, and the test's own.
    assert_eq!(PANICS.load(Ordering::Relaxed), 2 * THREADS * EACH);
    IS_OURS.set(true);
    let _ = catch_unwind(|| panic!("one more"));
    IS_OURS.set(false);
    assert_eq!(PANICS.load(Ordering::Relaxed), 2 * THREADS * EACH + 1);
}
