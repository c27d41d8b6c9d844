#[graceful::worker]
const async unsafe extern "C" fn qualified() {}

#[graceful::worker]
async unsafe extern "C" fn variadic(first: u8, _: ...) {
    drop(first);
}

#[graceful::worker]
async fn declared(queue: u8);

#[graceful::worker]
#[graceful::main]
async fn run() {}

#[graceful::worker]
async fn main() {
    let _ = unsafe { qualified() }.spawn();
    let _ = declared(3).spawn();
}
