//! The load: so many requests a second, due at fixed times whether the service answers or not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hyper::Version;
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval_at};

use crate::client::{Ask, Connection, End, Failure};

/// One request in so many is an upload.
const UPLOADS: u32 = 10;

/// How a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// A connection for each request.
    New,
    /// HTTP/1.1, a connection for as long as it lasts.
    KeepAlive,
    /// HTTP/2, several requests at once on a connection.
    Http2,
}

impl Via {
    const ALL: [Self; 3] = [Self::New, Self::KeepAlive, Self::Http2];

    /// Of all requests.
    fn share(self) -> f64 {
        match self {
            Self::New | Self::Http2 => 0.25,
            Self::KeepAlive => 0.5,
        }
    }

    /// How often a client asks. One of HTTP/2 does not wait for its answers, so it has requests beside each other.
    fn period(self) -> Duration {
        match self {
            Self::New | Self::KeepAlive => Duration::from_millis(50),
            Self::Http2 => Duration::from_millis(10),
        }
    }

    fn version(self) -> Version {
        match self {
            Self::New | Self::KeepAlive => Version::HTTP_11,
            Self::Http2 => Version::HTTP_2,
        }
    }
}

/// Where the clients connect to. Direct clients of a service have one address each.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    pub(crate) http1: Vec<SocketAddr>,
    pub(crate) http2: Vec<SocketAddr>,
}

/// A request and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) via: Via,
    /// When it was to be sent; the service's delay counts from here, and that of the machine too.
    pub(crate) due: Instant,
    pub(crate) ended: Instant,
    /// Whether it went to a second connection, since nobody had taken it on the first.
    pub(crate) was_sent_again: bool,
    pub(crate) outcome: Result<(), Failure>,
}

/// Clients at work, on threads of their own.
#[derive(Debug)]
pub(crate) struct Load {
    runtime: Runtime,
    is_over: Arc<AtomicBool>,
    samples: UnboundedReceiver<Sample>,
}

impl Load {
    pub(crate) fn start(rate: u32, targets: &Targets) -> Self {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("the system grants a thread");
        let (sender, samples) = unbounded_channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let start = Instant::now();
        for via in Via::ALL {
            let addresses = match via {
                Via::New | Via::KeepAlive => &targets.http1,
                Via::Http2 => &targets.http2,
            };
            let clients = f64::from(rate) * via.share() * via.period().as_secs_f64();
            for (number, address) in (0..).zip(addresses.iter().cycle()) {
                let share = f64::from(number) / clients;
                if share >= 1.0 {
                    break;
                }
                let client = Client {
                    via,
                    address: *address,
                    first: start + via.period().mul_f64(share),
                    is_over: Arc::clone(&is_over),
                    samples: sender.clone(),
                };
                runtime.spawn(client.run(number));
            }
        }
        Self { runtime, is_over, samples }
    }

    /// No request is begun any more; those in hand end. All there were.
    pub(crate) fn end(mut self) -> Vec<Sample> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut samples = Vec::new();
        while let Some(sample) = self.samples.blocking_recv() {
            samples.push(sample);
        }
        self.runtime.shutdown_background();
        samples
    }

    /// Lets time pass under load.
    pub(crate) fn goes_on_for(&self, duration: Duration) {
        assert!(!self.samples.is_closed(), "the load is at work");
        thread::sleep(duration);
    }
}

struct Client {
    via: Via,
    address: SocketAddr,
    first: Instant,
    is_over: Arc<AtomicBool>,
    samples: UnboundedSender<Sample>,
}

impl Client {
    async fn run(self, number: u32) {
        let mut clock = interval_at(self.first.into(), self.via.period());
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut kept = None;
        for count in number.. {
            let due = clock.tick().await.into_std();
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let ask = match count % UPLOADS {
                0 => Ask::Upload,
                _ => Ask::Page,
            };
            match self.via {
                Via::New => drop(self.request(None, ask, due).await),
                Via::KeepAlive => kept = self.request(kept, ask, due).await,
                Via::Http2 => kept = self.request_beside_others(kept, ask, due).await,
            }
        }
    }

    /// On the connection that was kept, or else on a new one. Returns what can be kept.
    async fn request(&self, kept: Option<Connection>, ask: Ask, due: Instant) -> Option<Connection> {
        let mut was_sent_again = false;
        let mut kept = kept.filter(|connection| !connection.is_closed());
        let outcome = loop {
            let is_fresh = kept.is_none();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => match Connection::open(self.address, self.via.version()).await {
                    Ok(connection) => connection,
                    Err(failure) => break Err(failure),
                },
            };
            match connection.ask(ask).await {
                Ok(true) => kept = Some(connection),
                Ok(false) => {}
                Err(End::Failed(failure)) => break Err(failure),
                Err(End::NotTaken) if is_fresh => {
                    break Err(Failure::Reset("not taken".to_owned()));
                }
                Err(End::NotTaken) => {
                    was_sent_again = true;
                    continue;
                }
            }
            break Ok(());
        };
        self.note(due, was_sent_again, outcome);
        kept
    }

    /// The same, without waiting for the answer.
    async fn request_beside_others(&self, kept: Option<Connection>, ask: Ask, due: Instant) -> Option<Connection> {
        let kept = kept.filter(|connection| !connection.is_closed());
        let connection = match kept {
            Some(connection) => connection,
            None => match Connection::open(self.address, self.via.version()).await {
                Ok(connection) => connection,
                Err(failure) => {
                    self.note(due, false, Err(failure));
                    return None;
                }
            },
        };
        let shared = connection.share();
        let client = self.another();
        tokio::spawn(async move { drop(client.request(shared, ask, due).await) });
        Some(connection)
    }

    fn another(&self) -> Self {
        Self {
            via: self.via,
            address: self.address,
            first: self.first,
            is_over: Arc::clone(&self.is_over),
            samples: self.samples.clone(),
        }
    }

    fn note(&self, due: Instant, was_sent_again: bool, outcome: Result<(), Failure>) {
        let sample = Sample { via: self.via, due, ended: Instant::now(), was_sent_again, outcome };
        // Nobody takes it once the measurement is over.
        let _ = self.samples.send(sample);
    }
}
