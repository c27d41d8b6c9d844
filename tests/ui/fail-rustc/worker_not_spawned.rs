#![deny(unused_must_use)]

#[graceful::worker]
async fn consume() {}

fn main() {
    consume();
}
