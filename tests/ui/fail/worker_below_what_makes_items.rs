#[bon::builder]
#[graceful::worker]
async fn produce(queue: u8) {
    drop(queue);
}

fn main() {
    drop(produce().queue(1).call());
}
