
#[path = "../caller.rs"]
mod caller;
#[path = "../lately.rs"]
mod lately;
#[path = "../policies.rs"]
mod policies;
#[path = "../remaining.rs"]
mod remaining;
#[path = "../tree.rs"]
mod tree;
