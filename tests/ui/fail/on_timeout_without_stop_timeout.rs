#[graceful::worker(on_timeout = "log")]
async fn connection() {}

fn main() {
    let _ = connection().spawn();
}
