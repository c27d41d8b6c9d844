//! The smallest program that ends itself on a signal: no runtime, one thread, SIGTERM masked and waited for.

use graceful_benches::say;
use nix::sys::signal::{SigSet, Signal};

fn main() {
    let mut sigterm = SigSet::empty();
    sigterm.add(Signal::SIGTERM);
    sigterm.thread_block().expect("it can be masked");
    say("ready");
    sigterm.wait().expect("it can be waited for");
}
