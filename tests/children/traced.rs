//! A service that tells a subscriber everything: `traced <case>`. An event is a line on standard output: its level,
//! the names of the spans it is in, and its fields.

use std::env::args;
use std::fmt::{self, Write};
use std::future::pending;

use graceful::{OnFailure, Worker};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

#[graceful::main(stop_timeout = "1s", drain = "50ms")]
async fn main() {
    match args().nth(2) {
        // As most programs have it: a filter for all layers, or one of each.
        Some(filter) if args().nth(3).is_none() => {
            tracing_subscriber::registry().with(EnvFilter::new(filter)).with(Print).init();
        }
        Some(filter) => tracing_subscriber::registry().with(Print.with_filter(EnvFilter::new(filter))).init(),
        None => tracing_subscriber::registry().with(Print).init(),
    }
    match args().nth(1).expect("a case").as_str() {
        "healthy" => {
            graceful::before_stop("deregister", || async {});
            graceful::on_stop("flush", || async { Ok::<_, &str>(()) });
            greet().spawn();
            block().spawn();
            nap().spawn();
            let again = Worker::new("again", || async {
                tracing::info!("from a run");
                graceful::stopping().await;
            });
            again.spawn();
        }
        "stuck" => drop(graceful::spawn("stuck", pending::<()>())),
        "fails" => drop(fail().spawn()),
        "restarts" => {
            let mut runs = 0;
            let flaky = Worker::new("flaky", move || {
                runs += 1;
                let ends = runs == 1;
                async move {
                    if ends {
                        return Err("not yet");
                    }
                    println!("again");
                    graceful::stopping().await;
                    Ok(())
                }
            });
            flaky.on_failure(OnFailure::Restart).spawn();
        }
        other => panic!("no case {other}"),
    }
    graceful::ready();
    println!("up");
    graceful::stopping().await;
}

#[graceful::worker]
async fn greet() {
    tracing::info!("hello");
    tokio::task::yield_now().await;
    tracing::info!("hello again");
    graceful::stopping().await;
}

#[graceful::worker(blocking)]
fn block() {
    tracing::info!("from a thread");
}

#[graceful::worker(every = "60s")]
async fn nap() {
    tracing::info!("from a tick");
}

#[graceful::worker]
async fn fail() -> Result<(), String> {
    graceful::stopping().await;
    Err("no disk".to_owned())
}

struct Print;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Print {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut spans = String::new();
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let of_span = extensions.get::<Fields>().map_or("", |fields| &fields.0);
            let _ = write!(spans, "{}{{{}}}", span.name(), of_span.trim());
        }
        println!("{} [{spans}]{}", event.metadata().level(), fields.0);
    }
}

/// ` name=value`, each.
#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {field}={value}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}
