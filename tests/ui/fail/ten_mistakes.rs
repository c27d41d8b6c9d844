#[graceful::worker(
    nmae = "consume",
    every = 60,
    stop = "erly",
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
