#[graceful::worker]
async fn number() -> u32 {
    3
}

#[graceful::worker]
async fn reference() -> &'static str {
    "done"
}

#[graceful::worker]
async fn tuple() -> (u8, String) {
    (3, String::new())
}

#[graceful::worker]
async fn opaque() -> impl std::fmt::Debug {}

#[graceful::worker]
async fn never() -> ! {
    loop {}
}

fn main() {
    let _ = (number().spawn(), reference().spawn(), tuple().spawn(), opaque().spawn(), never().spawn());
}
