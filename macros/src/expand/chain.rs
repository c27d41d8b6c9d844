//! The method calls that options become: on `Builder` for `main` and `test`,
//! on `Function` for `worker`.

use core::time::Duration;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::attr::options::Options;
use crate::attr::signal::Signal;
use crate::attr::table::Kind;
use crate::attr::value::Value;
use crate::expand::span::{self, at};

/// `::graceful`, or the path that `crate = ..` gives. That one goes on with `__private`, which has all that expansions
/// use, itself included: if the path is wrong, rustc says the same of each use, and prints it once.
pub(crate) fn krate(options: &Options, span: Span) -> TokenStream {
    if let Some(Value::Path(path)) = options.value("crate") {
        let (_, last) = span::of(path);
        let private = quote_spanned!(last=> __private);
        return quote!(#path::#private);
    }
    quote_spanned!(at(span)=> ::graceful)
}

/// `<::graceful::Builder>::`, for a call or a variant. In a path without the brackets rustc suggests imports of other types
/// of that name when the path is wrong, and prints the same error once more for each.
pub(crate) fn of(graceful: &TokenStream, ty: &str, span: Span) -> TokenStream {
    let ty = Ident::new(ty, span);
    quote_spanned!(span=> <#graceful::#ty>::)
}

/// Input:  `stop_timeout = "25s", reraise`
/// Output: `<::graceful::Builder>::new().stop_timeout(..).reraise()`
pub(crate) fn builder(graceful: &TokenStream, options: &Options, span: Span) -> TokenStream {
    let builder = of(graceful, "Builder", at(span));
    let new = quote_spanned!(at(span)=> #builder new());
    let flavor = options.has_one_thread().then(|| {
        let span = options.key("flavor").map_or(span, Ident::span);
        quote_spanned!(at(span)=> .current_thread())
    });
    let calls = calls(options);
    quote!(#new #flavor #calls)
}

/// Input:  `on_failure = "log", stop = "early"`
/// Output: `.on_failure(<::graceful::OnFailure>::Log).stage(<::graceful::Stage>::Early)`
pub(crate) fn calls(options: &Options) -> TokenStream {
    let mut calls = TokenStream::new();
    for (spec, key, value) in options.values() {
        let Some(method) = spec.method else { continue };
        let span = at(key.span());
        let method = match value {
            Value::Unlimited => Ident::new(&format!("without_{method}"), span),
            _ => Ident::new(method, span),
        };
        let arguments = arguments(&krate(options, span), &spec.kind, value, span);
        calls.extend(quote_spanned!(span=> .#method(#arguments)));
    }
    calls
}

/// The arguments of the call that an option becomes.
fn arguments(graceful: &TokenStream, kind: &Kind, value: &Value, key: Span) -> TokenStream {
    match (value, kind) {
        (Value::Flag(_), Kind::FlagWith(item)) => {
            let item = Ident::new(item, key);
            quote_spanned!(key=> #graceful::__private::#item)
        }
        (Value::Word(word), Kind::Variant(ty, _)) => {
            let span = at(word.span());
            let (of, variant) = (of(graceful, ty, span), variant(word, span));
            quote_spanned!(span=> #of #variant)
        }
        (Value::Flag(_) | Value::Word(_) | Value::Unlimited, _) => TokenStream::new(),
        (Value::Duration(duration, span), _) => constant(*duration, *span),
        (Value::Rate(count, within), _) => {
            let within = constant(*within, key);
            quote_spanned!(key=> #count, #within)
        }
        (Value::Range(both), _) => {
            let both = both.each_ref();
            let [min, max] = both.map(|value| arguments(graceful, kind, value, key));
            quote_spanned!(key=> #min, #max)
        }
        (Value::Expr(expr), _) => expr.to_token_stream(),
        (Value::Signals(all), _) => {
            let all = all.iter().map(|one| signal(graceful, one));
            quote_spanned!(key=> [#(#all),*])
        }
        (Value::Path(path), _) => path.to_token_stream(),
    }
}

/// A duration that is known.
fn constant(duration: Duration, span: Span) -> TokenStream {
    let seconds = Literal::u64_unsuffixed(duration.as_secs());
    let nanos = Literal::u32_unsuffixed(duration.subsec_nanos());
    quote_spanned!(at(span)=> ::core::time::Duration::new(#seconds, #nanos))
}

fn signal(graceful: &TokenStream, signal: &Signal) -> TokenStream {
    let variant = &signal.variant;
    let of = of(graceful, "Signal", variant.span());
    quote!(#of #variant)
}

/// `early` as `Early`.
fn variant(word: &Ident, span: Span) -> Ident {
    let word = word.to_string();
    let (first, rest) = word.split_at(1);
    Ident::new(&format!("{}{rest}", first.to_uppercase()), span)
}
