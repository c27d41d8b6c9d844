//! Redis, NATS and Mosquitto: servers of the test's own, each with a folder. Where one is not installed a line says so,
//! and the test is skipped.

use std::fs;
use std::io::{Read, Write, stderr};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use child::Child;
use redis::Commands;

use crate::folder::Folder;

/// How long a server may take to start, and messages to arrive.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until that is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The program, or `None` and a line where it is not installed. Debian keeps servers where users do not look.
fn installed(program: &str) -> Option<Command> {
    let places = ["", "/usr/sbin/", "/usr/local/sbin/"].map(|folder| format!("{folder}{program}"));
    let runs = |place: &&String| Command::new(place).arg("-h").output().is_ok();
    let Some(place) = places.iter().find(runs) else {
        // Past the capture of output: a skipped test must not look like a success.
        let _ = writeln!(stderr(), "\n*** SKIPPED: {program} is not installed. To install it: .ci/servers ***\n");
        return None;
    };
    Some(Command::new(place))
}

/// A Redis on a socket in its folder.
pub struct Redis {
    _process: Child,
    folder: Folder,
}

impl Redis {
    pub fn start(name: &str) -> Option<Self> {
        let mut command = installed("redis-server")?;
        let folder = Folder::new(name);
        command.current_dir(folder.path()).args("--port 0 --unixsocket socket --save".split(' ')).arg("");
        let process = Child::start(&mut command);
        let redis = Self { _process: process, folder };
        wait_until("Redis answers", || {
            let connection = redis::Client::open(redis.url()).expect("it is an address").get_connection();
            connection.and_then(|mut connection| connection.ping::<()>()).is_ok()
        });
        Some(redis)
    }

    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.file("socket").display())
    }

    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).and_then(|client| client.get_connection()).expect("it listens")
    }

    /// What is in a list.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.connection().lrange(name, 0, -1).expect("it is a list")
    }

    pub fn push(&self, job: &str) {
        self.connection().rpush::<_, _, ()>("jobs", job).expect("it is added");
    }

    /// How many clients wait for something.
    pub fn waiting(&self) -> usize {
        let info: String = redis::cmd("INFO").arg("clients").query(&mut self.connection()).expect("it tells");
        let count = info.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
        count.and_then(|count| count.trim().parse().ok()).expect("it tells")
    }
}

/// A NATS with JetStream, on a port of its choice.
pub struct Nats {
    _process: Child,
    _folder: Folder,
    pub url: String,
    /// Where it tells how it is.
    monitor: String,
}

impl Nats {
    pub fn start(name: &str) -> Option<Self> {
        let mut command = installed("nats-server")?;
        let folder = Folder::new(name);
        command.args(["--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir"]).arg(folder.path());
        command.args(["--http_port", "-1", "--ports_file_dir"]).arg(folder.path());
        let process = Child::start(&mut command);
        let (mut url, mut monitor) = (None, None);
        wait_until("NATS listens", || {
            let files = fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.path());
            let ports = files.filter(|path| path.extension().is_some_and(|extension| extension == "ports"));
            let text = ports.map(fs::read_to_string).find_map(Result::ok).unwrap_or_default();
            let address = |scheme: &str| {
                let address = text.split('"').find(|part| part.starts_with(scheme));
                address.map(ToOwned::to_owned)
            };
            (url, monitor) = (address("nats://"), address("http://"));
            url.is_some() && monitor.is_some()
        });
        let (url, monitor) = (url.unwrap_or_default(), monitor.unwrap_or_default());
        Some(Self { _process: process, _folder: folder, url, monitor: monitor.replace("http://", "") })
    }

    /// How many clients are connected.
    pub fn clients(&self) -> usize {
        let mut stream = TcpStream::connect(&self.monitor).expect("it listens");
        stream.write_all(b"GET /connz HTTP/1.0\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let count = answer.lines().find_map(|line| line.trim().strip_prefix("\"num_connections\": "));
        count.and_then(|count| count.trim_end_matches(',').parse().ok()).expect("it tells")
    }
}

/// A Mosquitto.
pub struct Mosquitto {
    _process: Child,
    _folder: Folder,
    pub port: u16,
}

impl Mosquitto {
    pub fn start(name: &str) -> Option<Self> {
        let folder = Folder::new(name);
        // It takes no port of the system's choice, so another process may be faster at this one.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let port = port.expect("a port").port();
            let settings: PathBuf = folder.file("settings");
            fs::write(&settings, format!("listener {port} 127.0.0.1\nallow_anonymous true\n")).expect("it is written");
            let process = Child::start(installed("mosquitto")?.arg("-c").arg(&settings));
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE / 10 {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(Self { _process: process, _folder: folder, port });
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("mosquitto does not start");
    }
}
