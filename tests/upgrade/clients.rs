//! Clients that ask while a service is upgraded: each on a connection of its own for every request, or on a kept one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::service::PATIENCE;

pub(crate) struct Clients {
    seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    is_over: AtomicBool,
    answered: AtomicUsize,
    not_ready: AtomicUsize,
    lost: Mutex<Vec<String>>,
}

impl Clients {
    /// So many of each kind.
    pub(crate) fn start(address: SocketAddr, count: usize) -> Self {
        let seen = Arc::<Seen>::default();
        let start = |keeps| {
            let seen = Arc::clone(&seen);
            thread::spawn(move || seen.ask_on(address, keeps))
        };
        let threads = (0..count).flat_map(|_| [true, false]).map(start).collect();
        Self { seen, threads }
    }

    pub(crate) fn answered(&self) -> usize {
        self.seen.answered.load(Ordering::Relaxed)
    }

    /// Nothing was lost, and readiness was never denied.
    #[track_caller]
    pub(crate) fn finish(self) -> usize {
        self.seen.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a client does not panic");
        }
        let lost = self.seen.lost.lock().expect("no client panics").clone();
        let answered = self.seen.answered.load(Ordering::Relaxed);
        assert!(lost.is_empty(), "{} of {answered} lost: {lost:?}", lost.len());
        assert_eq!(self.seen.not_ready.load(Ordering::Relaxed), 0, "not ready");
        answered
    }
}

impl Seen {
    fn ask_on(&self, address: SocketAddr, keeps: bool) {
        let mut kept: Option<BufReader<TcpStream>> = None;
        let mut number = 0_u32;
        while !self.is_over.load(Ordering::Relaxed) {
            number += 1;
            let path = if number.is_multiple_of(4) { "/ready" } else { "/" };
            let is_kept = kept.is_some();
            let stream = match kept.take() {
                Some(stream) => Ok(stream),
                None => TcpStream::connect(address).map(BufReader::new),
            };
            match stream.and_then(|mut stream| Ok((ask(&mut stream, path, keeps)?, stream))) {
                Ok(((body, stays), stream)) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    if path == "/ready" && body != "true" {
                        self.not_ready.fetch_add(1, Ordering::Relaxed);
                    }
                    kept = stays.then_some(stream);
                }
                Err(error) => self.lost.lock().expect("no client panics").push(format!("kept {is_kept}: {error}")),
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The body, and whether the connection stays.
fn ask(stream: &mut BufReader<TcpStream>, path: &str, keeps: bool) -> std::io::Result<(String, bool)> {
    stream.get_ref().set_read_timeout(Some(PATIENCE))?;
    let close = if keeps { "" } else { "Connection: close\r\n" };
    write!(stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: x\r\n{close}\r\n")?;
    let (mut length, mut stays) = (0, keeps);
    let mut first = String::new();
    stream.read_line(&mut first)?;
    if !first.starts_with("HTTP/1.1 200") {
        return Err(std::io::Error::other(format!("no answer: {first:?}")));
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().map_err(std::io::Error::other)?,
            Some(("connection", "close")) => stays = false,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((String::from_utf8_lossy(&body).into_owned(), stays))
}
