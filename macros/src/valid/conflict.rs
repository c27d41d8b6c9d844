//! Options that contradict each other, reported at the one that has to go.
//! Where it depends on a value that is wrong, nothing more is said.

use core::time::Duration;

use proc_macro2::Ident;
use syn::Error;

use crate::attr::grammar::Attribute;
use crate::attr::options::{Maybe, RuntimeOptions, WorkerOptions};
use crate::attr::value::{Budget, Time};
use crate::errors::Errors;

/// Checks the options of `main` and `test` against each other.
pub(crate) fn runtime(attribute: Attribute, options: &RuntimeOptions, errors: &mut Errors) {
    threads(attribute, options, errors);
    paused(options, errors);
    drain(options, errors);
    signals(options, errors);
    dump(options, errors);
}

/// Checks the options of `worker` against each other.
pub(crate) fn worker(options: &WorkerOptions, errors: &mut Errors) {
    restarts(options, errors);
    every(options, errors);
}

fn threads(attribute: Attribute, options: &RuntimeOptions, errors: &mut Errors) {
    let single = match &options.flavor {
        Maybe::Set(_, flavor) => flavor.text == "current_thread",
        Maybe::Absent => attribute == Attribute::Test,
        Maybe::Wrong(_) => false,
    };
    if let Some(key) = options.worker_threads.key().filter(|_| single) {
        report(errors, key, "`worker_threads` needs `flavor = \"multi_thread\"`");
    }
}

fn paused(options: &RuntimeOptions, errors: &mut Errors) {
    let many = options.flavor.value().is_some_and(|flavor| flavor.text == "multi_thread");
    if let Some(key) = options.start_paused.key().filter(|_| many) {
        let message = "`start_paused` needs `flavor = \"current_thread\"`: tokio's clock can be \
                       paused on one thread only";
        report(errors, key, message);
    }
}

fn drain(options: &RuntimeOptions, errors: &mut Errors) {
    if let Some(Time::Literal(drain, span)) = options.drain.value()
        && let Some(Budget::Limited(Time::Literal(budget, _))) = options.stop_timeout.value()
        && drain >= budget
    {
        let message = "`drain` is a part of `stop_timeout`: make it the shorter of the two";
        errors.push(Error::new(*span, message));
    }
}

fn signals(options: &RuntimeOptions, errors: &mut Errors) {
    if let Some((key, signals)) = options.signals.set()
        && !signals.iter().any(|signal| signal.name == "SIGTERM")
    {
        let message = "`signals` is the complete list: add \"SIGTERM\", or a supervisor's stop \
                       would kill the process";
        report(errors, key, message);
    }
}

fn dump(options: &RuntimeOptions, errors: &mut Errors) {
    let Some(dump) = options.dump.value() else {
        return;
    };
    let stops = match &options.signals {
        Maybe::Set(_, signals) => signals.iter().any(|signal| signal.name == dump.name),
        Maybe::Absent => dump.name == "SIGTERM" || dump.name == "SIGINT",
        Maybe::Wrong(_) => false,
    };
    if stops {
        let message = format!("{} stops the process: dump on another one", dump.name);
        errors.at(&dump.variant, message);
    }
}

fn restarts(options: &WorkerOptions, errors: &mut Errors) {
    let unknown = matches!(options.on_failure, Maybe::Wrong(_));
    if unknown || options.restarts() {
        return;
    }
    let keys = [options.max_restarts.key(), options.backoff.key()];
    for key in keys.into_iter().flatten() {
        report(errors, key, &format!("`{key}` needs `on_failure = \"restart\"`"));
    }
}

fn every(options: &WorkerOptions, errors: &mut Errors) {
    if let Some(Time::Literal(Duration::ZERO, span)) = options.every.value() {
        errors.push(Error::new(*span, "`every` is longer than zero: write `every = \"60s\"`"));
    }
    if options.every.key().is_none() {
        return;
    }
    if let Some((key, ())) = options.essential.set() {
        let message = "a worker with `every` never ends by itself: remove `essential` or `every`";
        report(errors, key, message);
    }
    if let Some(policy) = options.on_failure.value().filter(|policy| policy.text == "restart") {
        let message = "a worker with `every` runs again anyway: use \"log\" or \"stop\", or remove \
                       `every`";
        errors.push(Error::new(policy.span, message));
    }
}

fn report(errors: &mut Errors, key: &Ident, message: &str) {
    errors.push(Error::new(key.span(), message));
}
