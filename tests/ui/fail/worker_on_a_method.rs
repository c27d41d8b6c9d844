struct Consumer(u8);

impl Consumer {
    #[graceful::worker]
    async fn consume(self: std::sync::Arc<Self>, by: u8) -> Result<(), String> {
        let _ = self.0 + by;
        Ok(())
    }
}

fn main() {
    let _ = std::sync::Arc::new(Consumer(1)).consume(2).spawn();
}
