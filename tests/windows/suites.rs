//! Suites of the other package, in whose process the lifecycles run; Linux runs them there.
#![cfg(windows)]

#[path = "../caller.rs"]
mod caller;
#[path = "../lately.rs"]
mod lately;
#[path = "../lifecycle.rs"]
mod lifecycle;
#[path = "../policies.rs"]
mod policies;
#[path = "../remaining.rs"]
mod remaining;
#[path = "../stages.rs"]
mod stages;
#[path = "../tree.rs"]
mod tree;
