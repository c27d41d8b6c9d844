type Found = Option<Vec<u8>>;

#[graceful::worker]
async fn find() -> Found {
    None
}

#[graceful::worker(blocking)]
fn find_blocking() -> std::option::Option<Vec<u8>> {
    None
}

fn main() {
    let _ = find().spawn();
    drop(find_blocking());
}
