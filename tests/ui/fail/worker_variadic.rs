#[graceful::worker]
async unsafe extern "C" fn consume(first: u8, _: ...) {
    let _ = first;
}

fn main() {}
