struct Consumer(u8);

impl Consumer {
    const LIMIT: u8 = 3;

    fn step(&self) {}

    #[graceful::worker]
    async fn consume(Self(start): Consumer) -> Result<Vec<Self>, String> {
        struct Own(Option<Box<Self>>);
        let own = Own(None);
        drop(own.0);
        Self(start).step();
        assert!(start < Self::LIMIT);
        Ok(Vec::new())
    }
}

fn main() {
    let _ = Consumer::consume(Consumer(1)).spawn();
}
