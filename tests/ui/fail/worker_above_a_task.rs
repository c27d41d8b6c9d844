#[graceful::worker]
#[embassy_executor::task]
async fn blink() {}

#[graceful::main]
#[rocket::launch]
async fn main() {
    blink().spawn();
}
