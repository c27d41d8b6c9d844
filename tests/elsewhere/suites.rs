//! Suites of the other package, in whose process the lifecycles run; Linux on x86-64 runs them there. `lifecycle` is not
//! among them: it starts processes, by means of its own package.
#![cfg(target_arch = "aarch64")]

#[path = "../caller.rs"]
mod caller;
#[path = "../lately.rs"]
mod lately;
#[path = "../policies.rs"]
mod policies;
#[path = "../remaining.rs"]
mod remaining;
#[path = "../stages.rs"]
mod stages;
#[path = "../tree.rs"]
mod tree;
