//! Spans of `fastrace`: `spans <file> <way to flush>`.

use std::env::args;
use std::fs::File;
use std::io::Write;

use fastrace::Span;
use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};

#[graceful::main]
async fn main() {
    let file = File::create(args().nth(1).expect("a file")).expect("it can be made");
    fastrace::set_reporter(ToFile(file), Config::default());
    match args().nth(2).as_deref().expect("a way") {
        "none" => {}
        "hook" => graceful::after_stop_blocking("traces", fastrace::flush),
        other => panic!("no way {other}"),
    }
    graceful::spawn("work", async {
        let last = Span::root("last", SpanContext::random());
        graceful::stopping().await;
        drop(last);
    });
    println!("up");
    graceful::stopping().await;
}

struct ToFile(File);

impl Reporter for ToFile {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        for span in spans {
            writeln!(self.0, "{}", span.name).expect("it can be written");
        }
    }
}
