#[graceful::worker(initial_delay = "1h")]
async fn report() {}

fn main() {
    drop(report());
}
