struct Consumer;

#[graceful::worker]
impl Consumer {
    async fn run() {}
}

fn main() {
    drop(Consumer::run());
}
