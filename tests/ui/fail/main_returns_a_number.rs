#[graceful::main]
async fn main() -> usize {
    7
}

mod app {
    #[graceful::main]
    async fn run() -> Option<String> {
        None
    }
}
