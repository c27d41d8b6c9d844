struct Consumer;

impl Consumer {
    #[graceful::worker]
    async fn consume(this: Box<Self>) -> Result<(), String> {
        drop(this);
        Ok(())
    }
}

fn main() {
    let _ = Consumer::consume(Box::new(Consumer)).spawn();
}
