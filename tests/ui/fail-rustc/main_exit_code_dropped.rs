#![deny(unused_must_use)]

#[graceful::main]
async fn run() {}

mod app {
    #[graceful::main]
    #[must_use]
    pub(super) async fn main() {}
}

fn main() {
    run();
    app::main();
}
