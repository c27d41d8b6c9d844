//! Options that contradict each other, reported at the one to remove. A rule
//! that depends on a wrong value, which has been reported, reports nothing.

use core::time::Duration;

use proc_macro2::Ident;
use syn::{Error, Expr, ExprLit, Lit};

use crate::attr::options::Options;
use crate::attr::value::Value;
use crate::errors::Errors;

/// The waits before the restarts of a worker that sets none.
const DEFAULT_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The budget of a process that sets none.
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// Checks the options against each other. A rule about options of another
/// attribute finds none of them, and reports nothing.
pub(crate) fn check(options: &Options, errors: &mut Errors) {
    threads(options, errors);
    paused(options, errors);
    drain(options, errors);
    signals(options, errors);
    dump(options, errors);
    upgrade(options, errors);
    restarts(options, errors);
    reach(options, errors);
    timeout(options, errors);
    every(options, errors);
}

fn threads(options: &Options, errors: &mut Errors) {
    if let Some(key) = options.key("worker_threads")
        && options.has_one_thread()
    {
        let message = "`worker_threads` needs `flavor = \"multi_thread\"`";
        report(errors, key, message);
    }
}

fn paused(options: &Options, errors: &mut Errors) {
    if let Some(key) = options.key("start_paused")
        && options.is("flavor", "multi_thread")
    {
        let message = "`start_paused` needs `flavor = \"current_thread\"`: tokio's clock can be \
                       paused on one thread only";
        report(errors, key, message);
    }
}

fn drain(options: &Options, errors: &mut Errors) {
    let Some(Value::Duration(drain, span)) = options.value("drain") else {
        return;
    };
    let (budget, unless) = match options.value("stop_timeout") {
        Some(Value::Duration(budget, _)) => (*budget, ""),
        None if options.key("stop_timeout").is_none() => (DEFAULT_STOP_TIMEOUT, ", which is \"25s\" unless it is set"),
        // A limit of another kind, or a wrong one.
        _ => return,
    };
    if drain.saturating_mul(2) > budget {
        let message =
            format!("`drain` is more than half of `stop_timeout`{unless}: shorten `drain`, or lengthen `stop_timeout`");
        errors.push(Error::new(*span, message));
    }
}

fn signals(options: &Options, errors: &mut Errors) {
    if let Some(key) = options.key("signals")
        && let Some(Value::Signals(signals)) = options.value("signals")
        && signals.iter().all(|signal| signal.name != "SIGTERM")
    {
        let message = "`signals` is the complete list: add \"SIGTERM\", or a supervisor's stop \
                       would kill the process";
        report(errors, key, message);
    }
    if let Some(Value::Signals(signals)) = options.value("signals") {
        for abort in signals.iter().filter(|signal| signal.name == "SIGABRT") {
            errors
                .at(&abort.variant, "SIGABRT is no signal for an orderly stop: write `dump = \"SIGABRT\"`".to_owned());
        }
    }
}

fn dump(options: &Options, errors: &mut Errors) {
    let Some(Value::Signals(dumps)) = options.value("dump") else {
        return;
    };
    for dump in dumps.iter().filter(|dump| stops(options, dump.name)) {
        let message = format!("{} stops the process: dump on another one", dump.name);
        errors.at(&dump.variant, message);
    }
}

/// Whether this signal asks for the stop.
fn stops(options: &Options, name: &str) -> bool {
    match options.value("signals") {
        Some(Value::Signals(signals)) => signals.iter().any(|signal| signal.name == name),
        _ => !options.is_wrong("signals") && ["SIGTERM", "SIGINT"].contains(&name),
    }
}

fn upgrade(options: &Options, errors: &mut Errors) {
    let Some(Value::Signals(upgrades)) = options.value("upgrade") else {
        return;
    };
    let dumps = |name| matches!(options.value("dump"), Some(Value::Signals(dumps)) if dumps.iter().any(|dump| dump.name == name));
    for upgrade in upgrades {
        let why = match upgrade.name {
            "SIGABRT" => "ends the process",
            name if stops(options, name) => "stops the process",
            name if dumps(name) => "prints the status",
            _ => continue,
        };
        errors.at(&upgrade.variant, format!("{} {why}: upgrade on another one", upgrade.name));
    }
}

fn restarts(options: &Options, errors: &mut Errors) {
    if options.restarts() || options.is_wrong("on_failure") {
        return;
    }
    for key in ["max_restarts", "backoff"] {
        if let Some(key) = options.key(key) {
            let message = format!("`{key}` needs `on_failure = \"restart\"`");
            report(errors, key, &message);
        }
    }
}

/// A limit that the waits before the restarts put out of reach: it would never end a loop of failures.
fn reach(options: &Options, errors: &mut Errors) {
    let (Some(key), Some(Value::Rate(count, within))) = (options.key("max_restarts"), options.value("max_restarts"))
    else {
        return;
    };
    let backoff = match options.value("backoff") {
        Some(Value::Range(both)) => match &**both {
            [Value::Duration(first, _), Value::Duration(longest, _)] => (*first, *longest),
            _ => return,
        },
        None if options.key("backoff").is_none() => DEFAULT_BACKOFF,
        _ => return,
    };
    let Some(count) = count_of(count).filter(|_| options.restarts()) else {
        return;
    };
    let least = least_time(count, backoff);
    if least >= *within {
        let enough = written(least.saturating_mul(2));
        let message = format!(
            "`max_restarts` is never reached: with this `backoff`, {count} restarts take {} at the least; write \
             `max_restarts = \"{count} in {enough}\"`, a smaller number, or a shorter `backoff`",
            written(least)
        );
        report(errors, key, &message);
    }
}

/// The number, if it is known.
fn count_of(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    }
}

/// How long so many waits take together if each is as short as the jitter can make it: half of what it would be.
fn least_time(count: u32, (first, longest): (Duration, Duration)) -> Duration {
    let (mut sum, mut wait, mut left) = (Duration::ZERO, first, count);
    while left > 0 && wait < longest && !wait.is_zero() {
        sum = sum.saturating_add(wait / 2);
        wait = wait.saturating_mul(2);
        left -= 1;
    }
    sum.saturating_add((wait.min(longest) / 2).saturating_mul(left))
}

/// As an option is written, rounded up.
fn written(duration: Duration) -> String {
    match (duration.as_secs(), duration.subsec_nanos()) {
        (0, _) => format!("{}ms", duration.as_millis() + 1),
        (seconds, 0) if seconds % 60 == 0 => format!("{}m", seconds / 60),
        (seconds, 0) => format!("{seconds}s"),
        (seconds, _) => format!("{}s", seconds + 1),
    }
}

fn timeout(options: &Options, errors: &mut Errors) {
    if let Some(key) = options.key("on_timeout")
        && options.key("stop_timeout").is_none()
    {
        report(errors, key, "`on_timeout` needs `stop_timeout = \"5s\"`");
    }
}

fn every(options: &Options, errors: &mut Errors) {
    if let Some(Value::Duration(Duration::ZERO, span)) = options.value("every") {
        let message = "`every` is longer than zero: write `every = \"60s\"`";
        errors.push(Error::new(*span, message));
    }
    if options.key("every").is_none() {
        if let Some(key) = options.key("initial_delay") {
            report(errors, key, "`initial_delay` needs `every = \"60s\"`");
        }
        return;
    }
    if let Some(key) = options.key("essential")
        && !options.is_wrong("essential")
    {
        let message = "a worker with `every` never ends by itself: remove `essential` or `every`";
        report(errors, key, message);
    }
    if let Some(Value::Word(policy)) = options.value("on_failure")
        && policy == "restart"
    {
        let message = "a worker with `every` runs again anyway: use \"log\" or \"stop\", or remove \
                       `every`";
        errors.push(Error::new(policy.span(), message));
    }
}

fn report(errors: &mut Errors, key: &Ident, message: &str) {
    errors.push(Error::new(key.span(), message));
}
