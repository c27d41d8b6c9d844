//! The calls that options become: on the `Builder` for `main` and `test`, on
//! the static that describes the function for `worker`.

use core::time::Duration;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Path;

use crate::attr::grammar::Attribute;
use crate::attr::options::{Maybe, RuntimeOptions, WorkerOptions};
use crate::attr::signal::Signal;
use crate::attr::value::{Budget, Time};
use crate::expand::place::at;

/// `::graceful`, or what `crate = ..` says.
pub(crate) fn krate(option: &Maybe<Path>, place: Span) -> TokenStream {
    option.value().map_or_else(|| quote_spanned!(at(place)=> ::graceful), ToTokens::to_token_stream)
}

/// Input:  `stop_timeout = "25s", reraise`
/// Output: `::graceful::Builder::new().stop_timeout(..).reraise()`
pub(crate) fn builder(
    attribute: Attribute,
    graceful: &TokenStream,
    options: &RuntimeOptions,
    place: Span,
) -> TokenStream {
    let mut chain = quote_spanned!(at(place)=> #graceful::Builder::new());
    if let Some((key, budget)) = options.stop_timeout.set() {
        match budget {
            Budget::Unlimited => call(&mut chain, key, "without_stop_timeout", &[]),
            Budget::Limited(limit) => call(&mut chain, key, "stop_timeout", &[time(limit)]),
        }
    }
    if let Some((key, drain)) = options.drain.set() {
        call(&mut chain, key, "drain", &[time(drain)]);
    }
    if let Some((key, signals)) = options.signals.set() {
        let signals = signals.iter().map(|it| signal(graceful, it));
        let list = quote_spanned!(at(key.span())=> [#(#signals),*]);
        call(&mut chain, key, "signals", &[list]);
    }
    if let Some((key, ())) = options.reraise.set() {
        call(&mut chain, key, "reraise", &[]);
    }
    if let Some((key, dump)) = options.dump.set() {
        call(&mut chain, key, "dump", &[signal(graceful, dump)]);
    }
    match options.flavor.set() {
        Some((key, flavor)) if flavor.text == "current_thread" => {
            call(&mut chain, key, "current_thread", &[]);
        }
        None if attribute == Attribute::Test => {
            chain.extend(quote_spanned!(at(place)=> .current_thread()));
        }
        _ => {}
    }
    if let Some((key, threads)) = options.worker_threads.set() {
        call(&mut chain, key, "worker_threads", &[threads.to_token_stream()]);
    }
    if let Some((key, name)) = options.name.set() {
        call(&mut chain, key, "name", &[name.to_token_stream()]);
    }
    if let Some((key, ())) = options.start_paused.set() {
        let proof = quote_spanned!(at(key.span())=> #graceful::__private::PausedClock);
        call(&mut chain, key, "start_paused", &[proof]);
    }
    chain
}

/// Input:  `on_failure = "log", stop = "early"`
/// Output: `.on_failure(::graceful::OnFailure::Log).stage(::graceful::Stage::Early)`
pub(crate) fn policy(graceful: &TokenStream, options: &WorkerOptions) -> TokenStream {
    let mut chain = TokenStream::new();
    if let Some((key, policy)) = options.on_failure.set() {
        let variant = variant(policy.text, policy.span);
        let policy = quote_spanned!(at(policy.span)=> #graceful::OnFailure::#variant);
        call(&mut chain, key, "on_failure", &[policy]);
    }
    if let Some((key, restarts)) = options.max_restarts.set() {
        call(&mut chain, key, "max_restarts", &[restarts.to_token_stream()]);
    }
    if let Some((key, (min, max))) = options.backoff.set() {
        call(&mut chain, key, "backoff", &[time(min), time(max)]);
    }
    if let Some((key, ())) = options.essential.set() {
        call(&mut chain, key, "essential", &[]);
    }
    if let Some((key, period)) = options.every.set() {
        call(&mut chain, key, "every", &[time(period)]);
    }
    if let Some((key, limit)) = options.stop_timeout.set() {
        call(&mut chain, key, "stop_timeout", &[time(limit)]);
    }
    if let Some((key, stage)) = options.stop.set() {
        let variant = variant(stage.text, stage.span);
        let stage = quote_spanned!(at(stage.span)=> #graceful::Stage::#variant);
        call(&mut chain, key, "stage", &[stage]);
    }
    if let Some((key, _)) = options.when_stopping.set() {
        call(&mut chain, key, "refuse_when_stopping", &[]);
    }
    chain
}

/// Adds `.method(arguments)`, placed at the option's key.
fn call(chain: &mut TokenStream, key: &Ident, method: &str, arguments: &[TokenStream]) {
    let place = at(key.span());
    let method = Ident::new(method, place);
    chain.extend(quote_spanned!(place=> .#method(#(#arguments),*)));
}

fn time(time: &Time) -> TokenStream {
    match time {
        Time::Expr(expr) => expr.to_token_stream(),
        Time::Literal(duration, place) => literal(*duration, *place),
    }
}

fn literal(duration: Duration, place: Span) -> TokenStream {
    let seconds = Literal::u64_unsuffixed(duration.as_secs());
    let nanos = Literal::u32_unsuffixed(duration.subsec_nanos());
    quote_spanned!(at(place)=> ::core::time::Duration::new(#seconds, #nanos))
}

fn signal(graceful: &TokenStream, signal: &Signal) -> TokenStream {
    let variant = &signal.variant;
    quote!(#graceful::Signal::#variant)
}

/// `early` as `Early`.
fn variant(word: &str, place: Span) -> Ident {
    let (first, rest) = word.split_at(1);
    Ident::new(&format!("{}{rest}", first.to_uppercase()), at(place))
}
