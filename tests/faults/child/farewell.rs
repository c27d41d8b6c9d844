//! Values that print when they are dropped, or take their time.

use std::thread::sleep;
use std::time::Duration;

/// Forever, as far as a test can tell.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Prints a line when it is dropped.
pub(crate) struct Farewell(pub(crate) &'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        println!("dropped: {}", self.0);
    }
}

/// Prints a line when it is dropped, after so long.
pub(crate) struct Unhurried(pub(crate) &'static str, pub(crate) Duration);

impl Drop for Unhurried {
    fn drop(&mut self) {
        sleep(self.1);
        println!("dropped: {}", self.0);
    }
}

/// Takes its time to drop.
pub(crate) struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        println!("dropping slowly");
        sleep(LONG);
    }
}

/// Panics when it is dropped.
pub(crate) struct Connection;

impl Drop for Connection {
    fn drop(&mut self) {
        panic!("the connection was open");
    }
}
