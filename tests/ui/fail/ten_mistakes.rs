#[graceful::worker(
    nmae = "consume",
    max_restarts = 3,
    every = 60,
    stop = "erly",
    essential = "yes",
    stop = "late",
    drain = "5s",
)]
const unsafe fn consume(topic: &str) -> u32 {
    topic.len() as u32
}

fn main() {
    let topic = String::new();
    let _ = unsafe { consume(&topic) }.spawn();
}
