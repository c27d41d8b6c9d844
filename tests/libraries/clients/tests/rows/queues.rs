//! Redis, NATS and MQTT: jobs and messages that are under way when the process stops.

use std::process::Command;
use std::time::Duration;

use child::{Child, End};
use futures_util::StreamExt;
use redis::Commands;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use tokio::time::timeout;

use crate::brokers::{Mosquitto, Nats, PATIENCE, Redis, wait_until};

fn list(redis: &Redis, way: &str) -> Child {
    let mut service = Child::start(Command::new(env!("CARGO_BIN_EXE_list")).args([&*redis.url(), way]));
    service.be_patient(PATIENCE);
    service
}

/// Stops it while it waits for a job, and adds one before it has ended.
fn a_job_comes_during_the_stop(redis: &Redis, way: &str) -> End {
    let service = list(redis, way);
    service.prints("up");
    wait_until("it waits for a job", || redis.waiting() == 1);
    service.terminate();
    service.prints("told to stop");
    redis.push("a job");
    wait_until("the job is taken", || redis.list("jobs").is_empty());
    redis.connection().set::<_, _, ()>("let it end", "").expect("it is set");
    let end = service.end();
    end.assert_code(0);
    end
}

#[test]
fn a_job_that_redis_pops_for_a_dropped_call_is_lost() {
    let Some(redis) = Redis::start("pop") else { return };
    let end = a_job_comes_during_the_stop(&redis, "pop");
    assert_eq!((redis.list("jobs"), redis.list("done")), (vec![], vec![]), "{end}");
}

#[test]
fn a_job_that_redis_moves_for_a_dropped_call_is_found_at_the_next_start() {
    let Some(redis) = Redis::start("move") else { return };
    a_job_comes_during_the_stop(&redis, "move");
    assert_eq!((redis.list("jobs in hand"), redis.list("done")), (vec!["a job".to_owned()], vec![]));
    let service = list(&redis, "move");
    wait_until("the job is done", || redis.list("done") == ["a job"]);
    assert_eq!(redis.list("jobs in hand"), [""; 0]);
    service.terminate();
    service.end().assert_code(0);
}

/// By default a connection waits 500 ms for an answer. The call is an error then, and the server pops all the same.
#[test]
fn a_job_that_redis_pops_after_the_connections_own_time_out_is_lost() {
    let Some(redis) = Redis::start("impatient") else { return };
    let service = list(&redis, "pop, impatient");
    service.prints("popped: timed out");
    assert_a_job_is_popped_for_nobody(&redis, service);
}

/// The call was dropped, and the connection went back to its pool while the server was about to answer.
#[test]
fn a_job_that_redis_pops_on_a_connection_in_a_pool_is_lost() {
    for way in ["pop, deadpool", "pop, bb8"] {
        let Some(redis) = Redis::start("pools") else { return };
        let service = list(&redis, way);
        service.prints("popped: false");
        assert_a_job_is_popped_for_nobody(&redis, service);
    }
}

/// The service waits for no job any more, but its connection does.
#[track_caller]
fn assert_a_job_is_popped_for_nobody(redis: &Redis, service: Child) {
    service.prints("up");
    assert_eq!(redis.waiting(), 1);
    redis.push("a job");
    wait_until("the job is taken", || redis.list("jobs").is_empty());
    redis.connection().set::<_, _, ()>("let it end", "").expect("it is set");
    service.terminate();
    service.end().assert_code(0);
    assert_eq!(redis.list("done"), [""; 0]);
}

/// How many of the 1000 messages came, once the service is gone.
async fn nats(way: &str) -> Option<(End, usize)> {
    let nats = Nats::start(&format!("nats-{way}"))?;
    let client = async_nats::connect(&nats.url).await.expect("it listens");
    let mut messages = client.subscribe("numbers").await.expect("a subscription");
    client.flush().await.expect("it is flushed");
    let service = Child::start(Command::new(env!("CARGO_BIN_EXE_nats")).args([&*nats.url, way]));
    service.prints("up");
    service.terminate();
    let end = service.end();
    end.assert_code(0);
    end.assert_printed("1000 published");
    // The server has then read all that came before the end of the connection.
    wait_until("the service is disconnected", || nats.clients() == 1);
    client.publish("numbers", "the end".into()).await.expect("it is published");
    client.flush().await.expect("it is flushed");
    let mut count = 0;
    while let Some(message) = timeout(PATIENCE, messages.next()).await.expect("it comes") {
        if &*message.payload == b"the end" {
            break;
        }
        count += 1;
    }
    Some((end, count))
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_gets_all_that_was_published_before_an_echo_of_its_own() {
    let Some((end, count)) = nats("echo").await else { return };
    assert_eq!(count, 1000, "{end}");
}

/// `drain` returns when it has asked for the drain.
#[tokio::test(flavor = "multi_thread")]
async fn nats_gets_a_part_of_what_was_published_where_nothing_or_drain_waits() {
    for way in ["none", "drain"] {
        // Each kilobyte may be written by chance.
        let mut is_lost = false;
        for _ in 0..20 {
            let Some((_, count)) = nats(way).await else { return };
            is_lost = is_lost || count < 1000;
            if is_lost {
                break;
            }
        }
        assert!(is_lost, "{way}");
    }
}

/// What was written waits in the system, and goes with the connection where the server has sent something that nobody
/// has read: a PING, on a slow machine. So this says only that it is better than nothing.
#[tokio::test(flavor = "multi_thread")]
async fn nats_gets_something_where_it_is_flushed() {
    let Some((end, count)) = nats("flush").await else { return };
    assert!(count > 0, "{end}");
}

/// The messages that came, and whether the last will did, once the service is gone.
fn mqtt(way: &str) -> Option<(End, usize, bool)> {
    let broker = Mosquitto::start(&format!("mqtt-{way}"))?;
    let mut options = MqttOptions::new("test", "127.0.0.1", broker.port);
    options.set_keep_alive(Duration::from_secs(60));
    let (client, mut connection) = Client::new(options, 1000);
    client.subscribe("#", QoS::AtLeastOnce).expect("it is asked for");
    let subscribed = |event: Event| matches!(event, Event::Incoming(Packet::SubAck(_)));
    assert!(connection.iter().flatten().any(subscribed));

    let service = Child::start(Command::new(env!("CARGO_BIN_EXE_mqtt")).args([&*broker.port.to_string(), way]));
    service.prints("up");
    service.terminate();
    let end = service.end();
    end.assert_code(0);
    end.assert_printed("50 published");
    let (mut count, mut will) = (0, false);
    // Whether the will comes shows within a moment, once the rest has come.
    let patience = |count| if count < 50 { PATIENCE } else { Duration::from_millis(300) };
    while !will && let Ok(event) = connection.recv_timeout(patience(count)) {
        if let Ok(Event::Incoming(Packet::Publish(message))) = event {
            match &*message.topic {
                "will" => will = true,
                _ => count += 1,
            }
        }
    }
    Some((end, count, will))
}

#[test]
fn mqtt_sends_all_that_was_published_when_it_is_polled_until_the_end() {
    let Some((end, count, will)) = mqtt("polled until the end") else { return };
    assert_eq!((count, will), (50, false), "{end}");
}

#[test]
fn mqtt_sends_nothing_and_dies_where_its_loop_ends_with_the_stop() {
    let Some((end, count, will)) = mqtt("told") else { return };
    assert_eq!((count, will), (0, true), "{end}");
}

/// The broker's acknowledgements meet a closed connection, and it gives that up before it has read the rest. So that is a
/// matter of moments; a third of the runs show it.
#[test]
fn mqtt_dies_by_chance_where_its_loop_is_polled_until_the_farewell_or_not_waited_for() {
    for way in ["disconnect", "polled until the farewell"] {
        let is_lost = |_| mqtt(way).is_none_or(|(_, _, will)| will);
        assert!((0..40).any(is_lost), "{way}");
    }
}
