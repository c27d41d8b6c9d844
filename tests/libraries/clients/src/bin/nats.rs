//! Messages published to NATS: `nats <url> <way to flush>`.

use std::env::args;

use bytes::Bytes;
use futures_util::StreamExt;

// On one thread, so that what is not waited for is not sent by chance.
#[graceful::main(flavor = "current_thread")]
async fn main() -> Result<(), async_nats::Error> {
    let client = async_nats::connect(args().nth(1).expect("an address")).await?;
    let publisher = client.clone();
    match args().nth(2).as_deref().expect("a way") {
        "none" => {}
        "echo" => graceful::after_stop("nats", async move || {
            let inbox = client.new_inbox();
            let mut echo = client.subscribe(inbox.clone()).await?;
            client.publish(inbox, Bytes::new()).await?;
            // The server has read all that was published before it.
            echo.next().await.ok_or("disconnected")?;
            Ok::<_, async_nats::Error>(())
        }),
        "flush" => graceful::after_stop("nats", async move || client.flush().await),
        "drain" => graceful::after_stop("nats", async move || client.drain().await),
        other => panic!("no way {other}"),
    }
    graceful::spawn("publish", async move {
        graceful::stopping().await;
        let message = Bytes::from(vec![0; 10_000]);
        for _ in 0..1000 {
            publisher.publish("numbers", message.clone()).await?;
        }
        println!("1000 published");
        Ok::<_, async_nats::PublishError>(())
    });
    println!("up");
    graceful::stopping().await;
    Ok(())
}
