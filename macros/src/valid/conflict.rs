//! Options that contradict each other, reported at the one to remove. A rule
//! that depends on a wrong value, which has been reported, reports nothing.

use core::time::Duration;

use proc_macro2::Ident;
use syn::Error;

use crate::attr::options::Options;
use crate::attr::value::Value;
use crate::errors::Errors;

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
    restarts(options, errors);
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
            format!("`drain` is half of `stop_timeout` at the most{unless}: shorten it, or lengthen that one");
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
}

fn dump(options: &Options, errors: &mut Errors) {
    let Some(Value::Signal(dump)) = options.value("dump") else {
        return;
    };
    let stops = match options.value("signals") {
        Some(Value::Signals(signals)) => signals.iter().any(|signal| signal.name == dump.name),
        _ => !options.is_wrong("signals") && ["SIGTERM", "SIGINT"].contains(&dump.name),
    };
    if stops {
        let message = format!("{} stops the process: dump on another one", dump.name);
        errors.at(&dump.variant, message);
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
