//! Traces, logs and reports of errors that are under way when the process stops.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use child::{Child, End, FLAVOURS};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tonic::{Request, Response, Status};

use crate::folder::Folder;

/// A collector of traces, which notes the names of the spans it is sent.
#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Vec<String>>>);

impl Collector {
    /// Starts one. Returns its address as well.
    pub fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it has one");
        listener.set_nonblocking(true).expect("it can be");
        let server = TraceServiceServer::new(collector.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("it is one");
                let incoming = tonic::transport::server::TcpIncoming::from(listener);
                let router = tonic::transport::Server::builder().add_service(server);
                router.serve_with_incoming(incoming).await.expect("it serves");
            });
        });
        (collector, format!("http://{address}"))
    }

    /// The spans that have come.
    pub fn spans(&self) -> Vec<String> {
        self.0.lock().expect("nothing panics in here").clone()
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let spans = request.into_inner().resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        let names = spans.flat_map(|spans| spans.spans).map(|span| span.name);
        self.0.lock().expect("nothing panics in here").extend(names);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Starts it, and stops it as soon as it is up.
fn stopped(program: &str, arguments: &[&str]) -> End {
    let mut command = Command::new(program);
    if arguments.contains(&"deadline") {
        command.env("GRACEFUL_STOP_TIMEOUT", "2s");
    }
    let mut service = Child::start(command.args(arguments));
    service.be_patient(Duration::from_secs(30));
    service.prints("up");
    service.terminate();
    service.end_in_panic()
}

fn otlp(flavour: &str, way: &str) -> (End, Vec<String>) {
    let (collector, address) = Collector::start();
    let end = stopped(env!("CARGO_BIN_EXE_otlp"), &[&address, flavour, way]);
    (end, collector.spans())
}

#[test]
fn otlp_over_grpc_flushes_beside_the_runtime() {
    for flavour in FLAVOURS {
        let (end, spans) = otlp(flavour, "blocking hook");
        end.assert_code(0);
        assert_eq!(spans, ["last"], "{end}");
    }
}

#[test]
fn otlp_over_grpc_gives_up_after_5_s_in_a_hook_that_blocks_the_only_thread() {
    for flavour in FLAVOURS {
        // The export may still get through once the hook has given up, before the runtime is gone.
        let (end, _) = otlp(flavour, "hook");
        end.assert_code(1);
        end.assert_said("after_stop hook `traces` failed: InternalFailure(\"Shutdown errors: [Timeout(5s)]\")");
    }
}

#[test]
fn otlp_over_grpc_loses_spans_where_nothing_or_a_kept_value_flushes() {
    for way in ["none", "keep"] {
        let (end, spans) = otlp("multi_thread", way);
        end.assert_code(0);
        // Though it was not exported: the runtime, with the connection, was gone.
        assert_eq!(end.printed().contains(&"shutdown() says Ok(())"), way == "keep", "{end}");
        assert_eq!(spans, [""; 0], "{way}\n{end}");
    }
}

/// Nobody listens there.
#[test]
fn otlp_says_ok_though_the_export_failed() {
    let end = stopped(env!("CARGO_BIN_EXE_otlp"), &["http://127.0.0.1:9", "multi_thread", "blocking hook"]);
    end.assert_code(0);
}

#[test]
fn the_error_in_a_task_of_a_hook_is_not_the_hooks() {
    let (end, _) = otlp("multi_thread", "hook that spawns");
    end.assert_code(0);
}

#[test]
fn the_log_is_whole_with_the_guard_kept() {
    let folder = Folder::new("log");
    for (end, code) in [("clean", 0), ("panic", 101), ("deadline", 124)] {
        let file = folder.file(end);
        let ended = stopped(env!("CARGO_BIN_EXE_log"), &[file.to_str().expect("a name"), "kept", end]);
        ended.assert_code(code);
        let log = fs::read_to_string(&file).expect("it was made");
        assert!(log.contains("the last line of work"), "{end}: {log}\n{ended}");
        assert!(code != 0 || log.contains("stopped in "), "{end}: {log}\n{ended}");
    }
}

#[test]
fn the_log_ends_with_main_where_main_has_the_guard() {
    let folder = Folder::new("log-in-main");
    for (end, code) in [("clean", 0), ("panic", 101), ("deadline", 124)] {
        let file = folder.file(end);
        let ended = stopped(env!("CARGO_BIN_EXE_log"), &[file.to_str().expect("a name"), "in main", end]);
        ended.assert_code(code);
        let log = fs::read_to_string(&file).expect("it was made");
        assert!(log.contains("the first line"), "{end}: {log}\n{ended}");
        assert!(!log.contains("the last line of work"), "{end}: {log}\n{ended}");
    }
}

#[test]
fn sentry_reports_the_last_error_with_the_guard_kept() {
    let folder = Folder::new("errors");
    for (end, code) in [("clean", 0), ("panic", 101)] {
        let file = folder.file(end);
        let ended = stopped(env!("CARGO_BIN_EXE_errors"), &[file.to_str().expect("a name"), "kept", end]);
        ended.assert_code(code);
        let sent = fs::read_to_string(&file).expect("it was made");
        assert!(sent.contains("the last error"), "{end}: {sent}\n{ended}");
        assert_eq!(sent.contains("at the end"), end == "panic", "{end}: {sent}\n{ended}");
    }
}

#[test]
fn sentry_reports_nothing_after_main_where_main_has_the_guard() {
    let folder = Folder::new("errors-in-main");
    for (end, code) in [("clean", 0), ("panic", 101)] {
        let file = folder.file(end);
        let ended = stopped(env!("CARGO_BIN_EXE_errors"), &[file.to_str().expect("a name"), "in main", end]);
        ended.assert_code(code);
        let sent = fs::read_to_string(&file).expect("it was made");
        assert_eq!(sent, "", "{end}\n{ended}");
    }
}

#[test]
fn fastrace_reports_the_last_span_when_it_is_flushed() {
    assert_eq!(fastrace("hook"), "last\n");
    // By chance it is reported in time, once a second.
    assert!((0..20).any(|_| fastrace("none").is_empty()));
}

/// What has been reported.
fn fastrace(way: &str) -> String {
    let folder = Folder::new("spans");
    let file = folder.file(way);
    let ended = stopped(env!("CARGO_BIN_EXE_spans"), &[file.to_str().expect("a name"), way]);
    ended.assert_code(0);
    fs::read_to_string(&file).expect("it was made")
}
