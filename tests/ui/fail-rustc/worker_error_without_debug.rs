struct Silent;

#[graceful::worker]
async fn consume() -> Result<(), Silent> {
    Err(Silent)
}

fn main() {
    drop(consume());
}
