//! Messages published by MQTT: `mqtt <port> <way to end>`.

use std::env::args;
use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS};
use tokio::time::sleep;

// On one thread, so that what is not waited for is not sent by chance.
#[graceful::main(flavor = "current_thread")]
async fn main() {
    let port = args().nth(1).and_then(|port| port.parse().ok()).expect("a port");
    let mut options = MqttOptions::new("service", "127.0.0.1", port);
    options.set_last_will(LastWill::new("will", "died", QoS::AtLeastOnce, false));
    let (client, events) = AsyncClient::new(options, 100);
    let publisher = client.clone();
    let publish = graceful::spawn("publish", async move {
        graceful::stopping().await;
        for number in 0..50 {
            publisher.publish("numbers", QoS::AtLeastOnce, false, number.to_string()).await?;
        }
        println!("50 published");
        Ok::<_, rumqttc::ClientError>(())
    });
    match args().nth(2).as_deref().expect("a way") {
        "told" => {
            let mut events = events;
            while let Some(event) = graceful::run_until_stopping(events.poll()).await {
                note(&event);
            }
            let _ = publish.await;
        }
        "disconnect" => {
            tokio::spawn(poll(events, Until::Farewell));
            graceful::after_stop("mqtt", async move || client.disconnect().await);
        }
        "polled until the farewell" => poll_in_hook(client, events, Until::Farewell),
        "polled until the end" => poll_in_hook(client, events, Until::End),
        other => panic!("no way {other}"),
    }
    graceful::stopping().await;
}

fn poll_in_hook(client: AsyncClient, events: EventLoop, until: Until) {
    let connection = tokio::spawn(poll(events, until));
    graceful::after_stop("mqtt", async move || {
        client.disconnect().await.map_err(|error| error.to_string())?;
        connection.await.map_err(|error| error.to_string())
    });
}

#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// The farewell was sent.
    Farewell,
    /// The broker has closed the connection, so it has read the farewell.
    End,
}

/// Nothing is sent and nothing acknowledged but by this.
async fn poll(mut events: EventLoop, until: Until) {
    let mut is_farewell_sent = false;
    loop {
        let event = events.poll().await;
        note(&event);
        match event {
            Ok(Event::Outgoing(Outgoing::Disconnect)) if until == Until::Farewell => return,
            Ok(Event::Outgoing(Outgoing::Disconnect)) => is_farewell_sent = true,
            Ok(_) => {}
            Err(_) if is_farewell_sent => return,
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

fn note(event: &Result<Event, ConnectionError>) {
    if let Ok(Event::Incoming(Packet::ConnAck(_))) = event {
        println!("up");
    }
}
