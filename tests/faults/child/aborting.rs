//! A program built with `panic = "abort"`: a worker panics while another one would still have to finish.

#[graceful::main(flavor = "current_thread")]
async fn main() {
    graceful::keep(Farewell);
    graceful::spawn("drain", async {
        graceful::stopping().await;
        println!("drained");
    });
    graceful::spawn("fetch", async { panic!("no route to host") });
    graceful::stopping().await;
}

struct Farewell;

impl Drop for Farewell {
    fn drop(&mut self) {
        println!("dropped: what was kept");
    }
}
