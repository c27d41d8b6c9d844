#[graceful::worker]
async unsafe extern "C" fn consume(first: u8, ...) {
    let _ = first;
}

fn main() {}
