//! The load: each request is due at a fixed time, whether the service answers or not, and its latency counts from there.
//! So a service that stands still for a moment pays for all that were due meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::prctl;
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::client::{Connection, Failure};

/// Requests a second.
pub const RATE: u32 = 2000;

/// How many connections are kept. Each of them has a request every 50 ms.
const KEPT: usize = 50;

/// Of a hundred requests one is long, and every other one goes to a connection that is kept.
const LONG_EVERY: usize = 100;

/// How long the load may take to have its last answers.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A connection of its own.
    New,
    /// The next on a connection that is kept.
    Kept,
    /// One that takes half a second, on a connection of its own.
    Long,
}

/// A request, and how it ended.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub kind: Kind,
    /// When it was to be sent.
    pub due: Instant,
    pub ended: Instant,
    /// The connection that was kept for it had been closed without a word; it went to another one.
    pub was_closed: bool,
    /// The process that has answered.
    pub outcome: Result<i32, Failure>,
}

/// Clients at work, on threads of their own.
pub struct Load {
    is_over: Arc<AtomicBool>,
    pace: JoinHandle<()>,
    runtime: Runtime,
    samples: Receiver<Sample>,
    seen: Vec<Sample>,
}

impl Load {
    pub fn start(address: SocketAddr) -> Self {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("the system grants a thread");
        let (sender, samples) = mpsc::channel();
        let kept = (0..KEPT).map(|_| {
            let (due, requests) = unbounded_channel();
            runtime.spawn(ask_on_kept(address, requests, sender.clone()));
            due
        });
        let kept = kept.collect();
        let is_over = Arc::new(AtomicBool::new(false));
        let pace = Pace { address, kept, is_over: Arc::clone(&is_over), runtime: runtime.handle().clone(), sender };
        Self { is_over, pace: thread::spawn(|| pace.run()), runtime, samples, seen: Vec::new() }
    }

    /// Waits until a sample meets the condition, or until then.
    pub fn find(&mut self, until: Instant, condition: impl Fn(&Sample) -> bool) -> Option<Sample> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let sample = self.samples.recv_timeout(left).ok()?;
            self.seen.push(sample);
            if condition(&sample) {
                return Some(sample);
            }
        }
    }

    /// No request is begun any more; those in hand end. All there were.
    pub fn end(mut self) -> Vec<Sample> {
        self.is_over.store(true, Ordering::Relaxed);
        self.pace.join().expect("it does not panic");
        let until = Instant::now() + PATIENCE;
        while let Ok(sample) = self.samples.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push(sample);
        }
        self.runtime.shutdown_background();
        self.seen
    }
}

/// Sends each request when it is due.
struct Pace {
    address: SocketAddr,
    kept: Vec<UnboundedSender<Instant>>,
    is_over: Arc<AtomicBool>,
    runtime: runtime::Handle,
    sender: Sender<Sample>,
}

impl Pace {
    fn run(self) {
        // This thread alone: the kernel wakes it when it asks to be woken, and not up to 50 µs later.
        let _ = prctl::set_timerslack(1);
        let begin = Instant::now();
        let mut kept = self.kept.iter().cycle();
        for number in 0_usize.. {
            let due = begin + Duration::from_secs(1) * u32::try_from(number).expect("it ends before") / RATE;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            if number.is_multiple_of(LONG_EVERY) {
                self.runtime.spawn(ask_on_new(self.address, Kind::Long, due, self.sender.clone()));
            } else if number.is_multiple_of(2) {
                self.runtime.spawn(ask_on_new(self.address, Kind::New, due, self.sender.clone()));
            } else if let Some(kept) = kept.next() {
                let _ = kept.send(due);
            }
        }
    }
}

async fn ask_on_new(address: SocketAddr, kind: Kind, due: Instant, sender: Sender<Sample>) {
    let path = if kind == Kind::Long { "/long" } else { "/" };
    let outcome = async {
        let mut connection = Connection::open(address).await?;
        connection.ask(path, false).await.map(|answer| answer.process)
    };
    let outcome = outcome.await;
    let _ = sender.send(Sample { kind, due, ended: Instant::now(), was_closed: false, outcome });
}

/// One after the other, on a connection for as long as it stays.
async fn ask_on_kept(address: SocketAddr, mut requests: UnboundedReceiver<Instant>, sender: Sender<Sample>) {
    let mut kept: Option<Connection> = None;
    while let Some(due) = requests.recv().await {
        let was_closed = kept.as_ref().is_some_and(Connection::is_closed);
        if was_closed {
            kept = None;
        }
        let outcome = async {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => Connection::open(address).await?,
            };
            let answer = connection.ask("/", true).await?;
            kept = answer.stays.then_some(connection);
            Ok(answer.process)
        };
        let outcome = outcome.await;
        let _ = sender.send(Sample { kind: Kind::Kept, due, ended: Instant::now(), was_closed, outcome });
    }
}
