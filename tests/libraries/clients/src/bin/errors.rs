//! Errors that `sentry` reports: `errors <file> <where the guard is> <how it ends>`.

use std::env::args;
use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sentry::{ClientOptions, Envelope, Transport};
use tokio::time::sleep;

#[graceful::main(stop_timeout = "20s")]
async fn main() {
    let file = File::create(args().nth(1).expect("a file")).expect("it can be made");
    let transport = Arc::new(ToFile::new(file));
    let options = ClientOptions::new().dsn("https://key@localhost/1").transport(transport);
    let guard = sentry::init(options);
    let in_main = match args().nth(2).as_deref().expect("a place") {
        "in main" => Some(guard),
        "kept" => {
            graceful::keep(guard);
            None
        }
        other => panic!("no place {other}"),
    };
    let panics = match args().nth(3).as_deref().expect("an end") {
        "clean" => false,
        "panic" => true,
        other => panic!("no end {other}"),
    };
    graceful::spawn("work", async move {
        graceful::stopping().await;
        // Main has returned by then.
        sleep(Duration::from_millis(100)).await;
        sentry::capture_message("the last error", sentry::Level::Error);
        assert!(!panics, "at the end");
    });
    println!("up");
    graceful::stopping().await;
    drop(in_main);
}

/// A transport with a thread of its own, as that over HTTP is, and as slow.
struct ToFile(Mutex<Sender<Message>>);

enum Message {
    Send(Envelope),
    Flush(Sender<()>),
}

impl ToFile {
    fn new(mut file: File) -> Self {
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in messages {
                match message {
                    Message::Send(envelope) => {
                        thread::sleep(Duration::from_millis(50));
                        envelope.to_writer(&mut file).expect("it can be written");
                        file.flush().expect("it can be written");
                    }
                    Message::Flush(done) => drop(done.send(())),
                }
            }
        });
        Self(Mutex::new(sender))
    }

    fn send(&self, message: Message) {
        self.0.lock().expect("nothing panics in here").send(message).expect("its thread runs");
    }
}

impl Transport for ToFile {
    fn send_envelope(&self, envelope: Envelope) {
        self.send(Message::Send(envelope));
    }

    fn flush(&self, timeout: Duration) -> bool {
        let (done, flushed) = mpsc::channel();
        self.send(Message::Flush(done));
        flushed.recv_timeout(timeout).is_ok()
    }
}
