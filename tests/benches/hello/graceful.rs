#[graceful::worker]
async fn works() {
    graceful::stopping().await;
    println!("stopped");
}

#[graceful::main]
async fn main() {
    works().spawn();
    println!("hello");
    graceful::stopping().await;
}
