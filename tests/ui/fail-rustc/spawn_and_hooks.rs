#[graceful::worker]
async fn consume() {}

async fn count() -> u8 {
    3
}

fn main() {
    graceful::spawn("consume", consume());
    graceful::spawn("fetch", async { Err::<(), Box<dyn std::error::Error>>("no".into()) });
    graceful::on_stop("count", count);
    graceful::after_stop("bye", || println!("bye"));
    graceful::hold(String::from("upload"));
    graceful::hold(&3);
}
