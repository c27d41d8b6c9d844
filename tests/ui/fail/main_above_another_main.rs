#[graceful::main]
#[tokio::main(flavor = "current_thread")]
async fn main() {}

mod app {
    use tokio::main;

    #[graceful::main]
    #[main]
    async fn run() {}
}
