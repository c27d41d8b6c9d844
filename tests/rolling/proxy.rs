//! The proxies in front of the instances, as Debian packages them. None of them tries a request twice: a retry would
//! hide what is counted here.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::status_of;
use crate::instance::Instance;
use crate::load::Targets;
use crate::ports;
use graceful_tests::Child;

/// How often instances are asked whether they are ready.
pub(crate) const PROBE: Duration = Duration::from_millis(100);

/// Longer than a proxy takes to start, and to see that an instance is there.
const PATIENCE: Duration = Duration::from_secs(20);

/// What stands between the clients and the instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// `haproxy`, which probes the instances itself.
    HaProxy,
    /// nginx. The one in Debian has no probes: somebody else has to tell it who is ready, as a cluster's controller.
    Nginx,
    /// Nothing: half of the clients are at one instance, half at the other.
    Direct,
}

impl Front {
    /// With a proxy and without.
    pub const ALL: [Self; 3] = [Self::HaProxy, Self::Nginx, Self::Direct];

    /// The name of the program, and of Debian's package.
    fn package(self) -> Option<&'static str> {
        match self {
            Self::HaProxy => Some("haproxy"),
            Self::Nginx => Some("nginx"),
            Self::Direct => None,
        }
    }

    /// Whether it is there, or not needed.
    pub fn is_installed(self) -> bool {
        self.package().is_none_or(|name| program(name).is_some())
    }
}

/// The path of an installed program. Users other than root often do not have `/usr/sbin` on their path.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// A proxy at work.
#[derive(Debug)]
pub(crate) struct Proxy {
    targets: Targets,
    work: Work,
}

#[derive(Debug)]
enum Work {
    HaProxy { process: Child, _files: Files },
    Nginx { process: Child, controller: Controller, _files: Files },
    Direct,
}

impl Proxy {
    pub(crate) fn start(front: Front, instances: &[Instance; 2]) -> Self {
        let (http1, http2) = (ports::free(), ports::free());
        let targets = Targets { http1: vec![http1], http2: vec![http2] };
        let work = match front {
            Front::HaProxy => {
                let files = Files::new("haproxy", http1.port());
                let config = files.write("haproxy.cfg", &haproxy(http1, http2, instances));
                let mut command = Command::new(program("haproxy").expect("it is installed"));
                command.arg("-db").arg("-f").arg(config);
                Work::HaProxy { process: Child::start(&mut command), _files: files }
            }
            Front::Nginx => {
                let files = Files::new("nginx", http1.port());
                let controller = Controller::start(instances, &files.0);
                let config = files.write("nginx.conf", &nginx(http1, http2, instances, &files.0));
                let mut command = Command::new(program("nginx").expect("it is installed"));
                command.arg("-c").arg(config).arg("-p").arg(&files.0);
                Work::Nginx { process: Child::start(&mut command), controller, _files: files }
            }
            Front::Direct => {
                let addresses = instances.iter().map(Instance::address).collect::<Vec<_>>();
                return Self { targets: Targets { http1: addresses.clone(), http2: addresses }, work: Work::Direct };
            }
        };
        let proxy = Self { targets, work };
        proxy.wait_until_all_are_served();
        proxy
    }

    /// Where clients connect to.
    pub(crate) fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Waits until it sends requests to both instances.
    pub(crate) fn wait_until_all_are_served(&self) {
        let begun = Instant::now();
        while !self.serves_all() {
            assert!(begun.elapsed() < PATIENCE, "an instance is not served\n{self:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn serves_all(&self) -> bool {
        let asks_for = |path| matches!(status_of(self.targets.http1[0], path), Ok(200));
        match &self.work {
            Work::HaProxy { .. } => asks_for("/all-are-served"),
            Work::Nginx { controller, .. } => controller.has_all() && asks_for("/"),
            Work::Direct => true,
        }
    }

    /// Ends it; its clients are gone.
    pub(crate) fn end(self) {
        let (Work::HaProxy { process, .. } | Work::Nginx { process, .. }) = self.work else {
            return;
        };
        process.terminate();
        process.end();
    }
}

/// Probes by itself, and marks an instance down at the first probe that fails. Clients of HTTP/1 are served by
/// connections of HTTP/1, those of HTTP/2 by connections of HTTP/2. Idle ones go before the example closes them, which it
/// does after 5 s.
fn haproxy(http1: SocketAddr, http2: SocketAddr, instances: &[Instance; 2]) -> String {
    let probe = PROBE.as_millis();
    let servers = |more: &dyn Fn(char, &Instance) -> String| {
        let servers = instances.iter().zip(['a', 'b']);
        let line = |(instance, name): (&Instance, char)| {
            let address = instance.address();
            format!("    server {name} {address} {}\n", more(name, instance))
        };
        servers.map(line).collect::<String>()
    };
    let probed = servers(&|_, instance| {
        let port = instance.health().port();
        format!("check port {port} inter {probe}ms fall 1 rise 1 pool-purge-delay 2s")
    });
    let tracked = servers(&|name, _| format!("proto h2 track http1/{name} pool-purge-delay 2s"));
    format!(
        "\
global
    maxconn 4000

defaults
    mode http
    retries 0
    no option redispatch
    option http-keep-alive
    http-reuse safe
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout check 2s

frontend http1
    bind {http1}
    monitor-uri /all-are-served
    monitor fail if {{ nbsrv(http1) lt 2 }}
    default_backend http1

frontend http2
    bind {http2} proto h2
    default_backend http2

backend http1
    balance roundrobin
    option httpchk GET /readyz
{probed}
backend http2
    balance roundrobin
{tracked}"
    )
}

/// Looks for a file per instance before each request: where there is one, the instance gets none. To reload the
/// configuration instead would close the connections of idle clients, under requests that are on their way. The
/// example closes connections that are idle for 5 s; nginx does so first.
fn nginx(http1: SocketAddr, http2: SocketAddr, instances: &[Instance; 2], directory: &Path) -> String {
    let [a, b] = instances.each_ref().map(Instance::address);
    let directory = directory.display();
    format!(
        "\
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log stderr;
events {{ worker_connections 4000; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000;
    upstream both {{
        server {a} max_fails=0;
        server {b} max_fails=0;
        keepalive 64;
        keepalive_timeout 4s;
    }}
    upstream only_a {{ server {a} max_fails=0; keepalive 64; keepalive_timeout 4s; }}
    upstream only_b {{ server {b} max_fails=0; keepalive 64; keepalive_timeout 4s; }}
    server {{
        listen {http1};
        listen {http2} http2;
        set $instances both;
        if (-f {directory}/a.leaves) {{ set $instances only_b; }}
        if (-f {directory}/b.leaves) {{ set $instances only_a; }}
        location / {{
            proxy_pass http://$instances;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_request_buffering off;
            proxy_next_upstream off;
            proxy_connect_timeout 2s;
            proxy_read_timeout 30s;
        }}
    }}
}}
"
    )
}

/// Probes the instances for nginx, and writes down who leaves.
#[derive(Debug)]
struct Controller {
    has_all: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Controller {
    fn start(instances: &[Instance; 2], directory: &Path) -> Self {
        let has_all = Arc::new(AtomicBool::new(false));
        let is_over = Arc::new(AtomicBool::new(false));
        let probes = instances.each_ref().map(Instance::health);
        let files = ["a.leaves", "b.leaves"].map(|name| directory.join(name));
        let (all, over) = (Arc::clone(&has_all), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let mut ready = 0;
                for (probe, file) in probes.iter().zip(&files) {
                    if matches!(status_of(*probe, "/readyz"), Ok(200)) {
                        ready += 1;
                        // It is there only after a stop.
                        let _ = fs::remove_file(file);
                    } else {
                        fs::write(file, "").expect("the directory is there");
                    }
                }
                all.store(ready == probes.len(), Ordering::Relaxed);
                thread::sleep(PROBE);
            }
        });
        Self { has_all, is_over, thread: Some(thread) }
    }

    fn has_all(&self) -> bool {
        self.has_all.load(Ordering::Relaxed)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A directory that a proxy can read whoever it runs as; removed when dropped.
#[derive(Debug)]
struct Files(PathBuf);

impl Files {
    fn new(name: &str, number: u16) -> Self {
        let directory = std::env::temp_dir().join(format!("graceful-{name}-{number}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory can be made");
        Self(directory)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("the directory is there");
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
