//! A stop as bars on a time axis, made from a status in JSON.

use serde_json::Value;

/// Everything there is to draw.
#[derive(Debug)]
pub(crate) struct Chart {
    /// Why it stopped.
    pub(crate) cause: String,
    /// How long it took, in milliseconds, as all times here.
    pub(crate) total: f64,
    /// The states, the hooks and the workers, in this order.
    pub(crate) bars: Vec<Bar>,
    /// What happened to the stop itself.
    pub(crate) marks: Vec<Mark>,
}

/// Something that took time.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// A remark on how it ended.
    pub(crate) note: String,
    /// Nothing that was waited for took longer: it held the exit up.
    pub(crate) is_last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    State,
    Hook,
    Worker,
}

/// A moment.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) at: f64,
}

impl Chart {
    /// `None` where no stop was asked for.
    pub(crate) fn of(status: &Value) -> Option<Self> {
        let cause = status["cause"].as_str()?.to_owned();
        let timings = ["draining", "stopping", "closing"].map(|part| ms(&status["timings"][part]));
        let total = timings.iter().sum::<f64>().max(1.0);
        let mut bars = states(timings);
        bars.extend(list(&status["hooks"]).filter_map(hook));
        let told = |stage: &Value| told(status, stage.as_str().unwrap_or("Main"));
        let workers = list(&status["workers"]);
        bars.extend(workers.filter_map(|worker| of_worker(worker, told(&worker["stage"]), total)));
        let waited_for = |bar: &&mut Bar| bar.kind != Kind::State;
        let longest = bars.iter_mut().filter(waited_for).max_by(|one, other| one.to.total_cmp(&other.to));
        if let Some(last) = longest {
            last.is_last = true;
        }
        let marks = list(&status["trace"]).map(mark).collect();
        Some(Self { cause, total, bars, marks })
    }
}

fn states([draining, stopping, closing]: [f64; 3]) -> Vec<Bar> {
    let ends = [draining, draining + stopping, draining + stopping + closing];
    let names = ["draining", "stopping", "closing"];
    let mut from = 0.0;
    let mut bars = Vec::new();
    for (name, to) in names.into_iter().zip(ends) {
        bars.push(Bar { name: name.to_owned(), kind: Kind::State, from, to, note: String::new(), is_last: false });
        from = to;
    }
    bars.retain(|bar| bar.to > bar.from);
    bars
}

fn hook(hook: &Value) -> Option<Bar> {
    let began = ms(hook.get("began").filter(|began| !began.is_null())?);
    let progress = hook["progress"].as_str().unwrap_or_default();
    let note = match progress {
        "Done" => "",
        other => other,
    };
    Some(Bar {
        name: text(&hook["name"]),
        kind: Kind::Hook,
        from: began,
        to: began + ms(&hook["took"]),
        note: note.to_lowercase(),
        is_last: false,
    })
}

/// The workers of one function, from when they were told to stop until the last of them had ended.
fn of_worker(worker: &Value, told: f64, total: f64) -> Option<Bar> {
    let live = worker["live"].as_u64().unwrap_or(0);
    let aborted = worker["aborted"].as_u64().unwrap_or(0);
    let to = match &worker["ended"] {
        _ if live > 0 => total,
        Value::Null => return None,
        ended => ms(ended),
    };
    let note = match (live, aborted) {
        (0, 0) => String::new(),
        (0, aborted) => format!("{aborted} aborted"),
        (live, _) => format!("{live} left behind"),
    };
    Some(Bar { name: text(&worker["name"]), kind: Kind::Worker, from: told.min(to), to, note, is_last: false })
}

/// When the workers of a stage were told to stop.
fn told(status: &Value, stage: &str) -> f64 {
    let found = list(&status["trace"]).find(|moment| moment["event"]["Told"] == stage);
    found.map_or(0.0, |moment| ms(&moment["after"]))
}

fn mark(moment: &Value) -> Mark {
    let name = match &moment["event"] {
        Value::String(event) => event.to_lowercase(),
        event => format!("{} told", text(&event["Told"]).to_lowercase()),
    };
    Mark { name, at: ms(&moment["after"]) }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A `Duration` as serde writes it.
fn ms(duration: &Value) -> f64 {
    let part = |name| duration[name].as_f64().unwrap_or(0.0);
    part("secs") * 1e3 + part("nanos") / 1e6
}
