//! Options that contradict each other, reported at the one that has to go.
//! An option whose own value is wrong takes no part: that was said already.

use core::time::Duration;

use proc_macro2::Ident;
use syn::Error;

use crate::attr::grammar::Attribute;
use crate::attr::options::{Given, Maybe, RuntimeOptions, WorkerOptions};
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
    let Some(Given { key, .. }) = &options.worker_threads else {
        return;
    };
    let single = match &options.flavor {
        Some(flavor) => flavor
            .get()
            .is_some_and(|word| word.text == "current_thread"),
        None => attribute == Attribute::Test,
    };
    if single {
        report(
            errors,
            key,
            "`worker_threads` needs `flavor = \"multi_thread\"`",
        );
    }
}

fn paused(options: &RuntimeOptions, errors: &mut Errors) {
    let multi = value(&options.flavor).is_some_and(|word| word.text == "multi_thread");
    if let Some(Given { key, .. }) = &options.start_paused
        && multi
    {
        let message = "`start_paused` needs `flavor = \"current_thread\"`: tokio's clock can be \
                       paused on one thread only";
        report(errors, key, message);
    }
}

fn drain(options: &RuntimeOptions, errors: &mut Errors) {
    if let Some(Time::Literal(drain, span)) = value(&options.drain)
        && let Some(Budget::Limited(Time::Literal(budget, _))) = value(&options.stop_timeout)
        && drain >= budget
    {
        let message = "`drain` is a part of `stop_timeout`: make it the shorter of the two";
        errors.push(Error::new(*span, message));
    }
}

fn signals(options: &RuntimeOptions, errors: &mut Errors) {
    if let Some(Given {
        key,
        value: Some(signals),
    }) = &options.signals
        && !signals.iter().any(|signal| signal.name == "SIGTERM")
    {
        let message = "`signals` is the complete list: add \"SIGTERM\", or a supervisor's stop \
                       would kill the process";
        report(errors, key, message);
    }
}

fn dump(options: &RuntimeOptions, errors: &mut Errors) {
    let Some(dump) = value(&options.dump) else {
        return;
    };
    let stops = match &options.signals {
        Some(Given {
            value: Some(signals),
            ..
        }) => signals.iter().any(|signal| signal.name == dump.name),
        Some(Given { value: None, .. }) => false,
        None => dump.name == "SIGTERM" || dump.name == "SIGINT",
    };
    if stops {
        let message = format!("{} stops the process: dump on another one", dump.name);
        errors.at(&dump.variant, message);
    }
}

fn restarts(options: &WorkerOptions, errors: &mut Errors) {
    // A policy that is wrong may have been meant as the right one.
    let unknown = matches!(&options.on_failure, Some(Given { value: None, .. }));
    if unknown || options.restarts() {
        return;
    }
    for key in [key(&options.max_restarts), key(&options.backoff)]
        .into_iter()
        .flatten()
    {
        report(
            errors,
            key,
            &format!("`{key}` needs `on_failure = \"restart\"`"),
        );
    }
}

fn every(options: &WorkerOptions, errors: &mut Errors) {
    let Some(Given { value, .. }) = &options.every else {
        return;
    };
    if let Some(Time::Literal(Duration::ZERO, span)) = value {
        errors.push(Error::new(
            *span,
            "`every` is longer than zero: write `every = \"60s\"`",
        ));
    }
    if let Some(key) = key(&options.essential) {
        let message = "a worker with `every` never ends by itself: remove `essential` or `every`";
        report(errors, key, message);
    }
    if let Some(Given {
        value: Some(policy),
        ..
    }) = &options.on_failure
        && policy.text == "restart"
    {
        let message = "a worker with `every` runs again anyway: use \"log\" or \"stop\", or remove \
                       `every`";
        errors.push(Error::new(policy.span, message));
    }
}

fn key<T>(option: &Maybe<T>) -> Option<&Ident> {
    option.as_ref().map(|given| &given.key)
}

fn value<T>(option: &Maybe<T>) -> Option<&T> {
    option.as_ref().and_then(Given::get)
}

fn report(errors: &mut Errors, key: &Ident, message: &str) {
    errors.push(Error::new(key.span(), message));
}
