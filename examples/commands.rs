//! A protocol of commands, as that of Redis: clients send several at once, and each that is here is answered, in order,
//! before the stop. `GET key`, `SET key value`, `INCR key`; a line each.

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use graceful::net::{ListenError, Stream};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter, Lines, ReadHalf};

type Values = Arc<Mutex<HashMap<String, String>>>;

/// The next command that is here, or that comes before the stop. `run_until_stopping` would not look for one that is
/// here. `next_line` is cancel safe: what it has read of a line stays in the reader.
async fn next(commands: &mut Lines<BufReader<ReadHalf<Stream>>>) -> Option<String> {
    tokio::select! {
        biased;
        command = commands.next_line() => command.ok().flatten(),
        () = graceful::stopping() => None,
    }
}

fn answer(values: &Values, command: &str) -> String {
    let mut values = values.lock().unwrap_or_else(PoisonError::into_inner);
    let words: Vec<_> = command.splitn(3, ' ').collect();
    match words.as_slice() {
        ["GET", key] => values.get(*key).cloned().unwrap_or_else(|| "(none)".to_owned()),
        ["SET", key, value] => {
            values.insert((*key).to_owned(), (*value).to_owned());
            "OK".to_owned()
        }
        ["INCR", key] => {
            let value = values.entry((*key).to_owned()).or_default();
            *value = (value.parse().unwrap_or(0) + 1u64).to_string();
            value.clone()
        }
        _ => "ERROR: GET key, SET key value or INCR key".to_owned(),
    }
}

/// Returns `()`, not a `Result`: a client that goes away is no failure of the service.
#[graceful::worker]
async fn client(stream: Stream, values: Values) {
    let (reader, writer) = tokio::io::split(stream);
    let (mut commands, mut writer) = (BufReader::new(reader).lines(), BufWriter::new(writer));
    while let Some(command) = next(&mut commands).await {
        let line = answer(&values, &command) + "\n";
        // Answers to commands that came at once leave at once.
        let has_more = !commands.get_ref().buffer().is_empty();
        let sent = writer.write_all(line.as_bytes()).await;
        if sent.is_err() || !has_more && writer.flush().await.is_err() {
            return;
        }
    }
    let _ = writer.flush().await;
}

#[graceful::main(name = "commands", stop_timeout = "20s")]
async fn main() -> Result<(), ListenError> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let mut listener = graceful::net::listen("commands", &address).await?.max_connections(1000);
    if let Some(address) = listener.local_addr() {
        println!("listening on {address}");
        println!("in another terminal: printf 'SET a 1\\nINCR a\\n' | nc {} {}", address.ip(), address.port());
    }
    graceful::ready();
    let values = Values::default();
    while let Some(stream) = listener.accept().await {
        client(stream, Arc::clone(&values)).spawn();
    }
    Ok(())
}
