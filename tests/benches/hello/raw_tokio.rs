use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() {
    tokio::spawn(std::future::pending::<()>());
    let mut sigterm = signal(SignalKind::terminate()).expect("tokio listens");
    println!("hello");
    sigterm.recv().await;
}
