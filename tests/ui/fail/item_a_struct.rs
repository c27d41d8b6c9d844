#[graceful::worker]
pub struct Consumer;

fn main() {}
