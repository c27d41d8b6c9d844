#[graceful::worker]
const async unsafe extern "C" fn consume() {}

fn main() {
    let _ = unsafe { consume() }.spawn();
}
