//! No handler: the signal kills it.

use std::thread;

use graceful_benches::say;

fn main() {
    say("ready");
    loop {
        thread::park();
    }
}
