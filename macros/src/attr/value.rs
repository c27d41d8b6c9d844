//! Reads the value of one option: a duration, a number, one of several words.

use core::time::Duration;

use proc_macro2::{Ident, Literal, Span};
use syn::spanned::Spanned;
use syn::{Error, Expr, Lit, LitStr, Path, RangeLimits, parse_quote_spanned};

use crate::attr::literal::{self, is_literal, text, ungroup};
use crate::attr::signal::{self, Signal};
use crate::attr::suggest;
use crate::attr::table::{Kind, Spec};
use crate::duration;
use crate::errors::Errors;

/// The value of an option.
pub(crate) enum Value {
    /// On or off.
    Flag(bool),
    /// A duration that is written as text, and where.
    Duration(Duration, Span),
    /// `"none"`, in the place of a duration.
    Unlimited,
    /// The shorter and the longer of two durations.
    Range(Box<[Self; 2]>),
    /// How many, and within how long.
    Rate(Expr, Duration),
    /// A number or text, or any expression that makes the value.
    Expr(Expr),
    /// One of several words, placed at the text.
    Word(Ident),
    /// Several different signals.
    Signals(Vec<Signal>),
    /// A path.
    Path(Path),
}

/// Input:  the expression after the `=`
/// Output: its value; `None` after an error
pub(crate) fn read(spec: &Spec, expr: Expr, errors: &mut Errors) -> Option<Value> {
    let expr = ungroup(expr);
    let value = match spec.kind {
        Kind::Flag | Kind::FlagWith(_) => flag(spec, &expr),
        Kind::Limit if text(&expr).is_some_and(|it| it.value() == "none") => Ok(Value::Unlimited),
        Kind::Duration | Kind::Limit => duration(spec, expr),
        Kind::Range => range(spec, expr),
        Kind::Count if is_count(&expr) => Ok(Value::Expr(expr)),
        Kind::Count => Err(spec.error("is a whole number above zero", expr)),
        Kind::Rate => rate(spec, expr),
        Kind::Text if is_text(&expr) => Ok(Value::Expr(expr)),
        Kind::Text => Err(spec.error("is text that is not empty", expr)),
        Kind::Word(words) | Kind::Variant(_, words) => word(spec, words, &expr),
        Kind::OneOrMoreSignals if !matches!(expr, Expr::Array(_)) => {
            signal::one(&expr).map(|one| Value::Signals(vec![one]))
        }
        Kind::Signals | Kind::OneOrMoreSignals => return signal::list(spec, expr, errors).map(Value::Signals),
        Kind::Path => path(spec, expr),
    };
    errors.ok(value)
}

fn flag(spec: &Spec, expr: &Expr) -> Result<Value, Error> {
    if let Some(Lit::Bool(on)) = literal::literal(expr) {
        return Ok(Value::Flag(on.value));
    }
    let key = spec.key;
    let message = format!("`{key}` is on or off: write `{key}` or leave it out");
    Err(Error::new_spanned(expr, message))
}

fn duration(spec: &Spec, expr: Expr) -> Result<Value, Error> {
    match text(&expr) {
        Some(text) => match duration::parse(&text.value()) {
            Ok(duration) => Ok(Value::Duration(duration, text.span())),
            Err(_) if text.value() == "none" => Err(Error::new_spanned(text, none(spec))),
            Err(message) => Err(Error::new_spanned(text, message)),
        },
        None if is_literal(&expr) => Err(match literal::unquoted_duration(&expr) {
            Some(found) if duration::parse(&found).is_ok() => quote_it(&expr, &found),
            _ => spec.error("is a duration with a unit", expr),
        }),
        None => Ok(Value::Expr(expr)),
    }
}

/// The message for `"none"` where it is no value.
fn none(spec: &Spec) -> String {
    let key = spec.key;
    match key {
        "drain" => "`none` is not a duration: no drain is `drain = \"0s\"`".to_owned(),
        "stop_timeout" => format!("`none` is not a duration: without `{key}` it has the process's budget"),
        _ => format!("`none` is not a duration: leave `{key}` out"),
    }
}

fn range(spec: &Spec, expr: Expr) -> Result<Value, Error> {
    let incomplete = spec.message("has a shortest and a longest wait");
    match expr {
        Expr::Range(range) if matches!(range.limits, RangeLimits::HalfOpen(_)) => match (range.start, range.end) {
            (Some(min), Some(max)) => {
                let both = [min, max].map(|it| Value::Expr(*it));
                Ok(Value::Range(Box::new(both)))
            }
            _ => Err(Error::new(range.limits.span(), incomplete)),
        },
        expr => {
            let found = text(&expr).map(LitStr::value).unwrap_or_default();
            let both = found.split_once("..");
            let message = match both.map(|(a, b)| (duration::parse(a), duration::parse(b))) {
                Some((Ok(min), Ok(max))) if min <= max => {
                    let both = [min, max].map(|it| Value::Duration(it, expr.span()));
                    return Ok(Value::Range(Box::new(both)));
                }
                Some((Ok(_), Ok(_))) => {
                    let (key, written) = (spec.key, spec.written());
                    format!("the first wait of `{key}` is the shorter one: write `{written}`")
                }
                Some((Err(message), _) | (_, Err(message))) => message,
                None => incomplete,
            };
            Err(Error::new_spanned(expr, message))
        }
    }
}

fn rate(spec: &Spec, expr: Expr) -> Result<Value, Error> {
    const MINUTE: Duration = Duration::from_secs(60);
    let wrong = "is a whole number above zero, for each minute, or a text such as \"3 in 10m\"";
    let Some(text) = text(&expr) else {
        return if is_count(&expr) { Ok(Value::Rate(expr, MINUTE)) } else { Err(spec.error(wrong, expr)) };
    };
    let found = text.value();
    let parts = found.split_once(" in ").map(|(count, within)| (count.trim().parse(), duration::parse(within)));
    match parts {
        Some((Ok(count @ 1..), Ok(within))) if !within.is_zero() => {
            let count = Literal::u32_unsuffixed(count);
            Ok(Value::Rate(parse_quote_spanned!(text.span()=> #count), within))
        }
        Some((Ok(1..), Err(message))) => Err(Error::new_spanned(text, message)),
        _ => Err(spec.error(wrong, expr)),
    }
}

fn is_count(expr: &Expr) -> bool {
    match literal::literal(expr) {
        Some(Lit::Int(number)) => number.base10_parse::<u32>().is_ok_and(|n| n > 0),
        _ => !is_literal(expr),
    }
}

fn is_text(expr: &Expr) -> bool {
    match text(expr) {
        Some(text) => !text.value().trim().is_empty(),
        None => !is_literal(expr),
    }
}

fn word(spec: &Spec, words: &[&'static str], expr: &Expr) -> Result<Value, Error> {
    let quoted = text(expr).map(LitStr::value);
    let found = quoted.clone().or_else(|| literal::word(expr)).unwrap_or_default();
    if let Some(word) = words.iter().find(|word| **word == found) {
        return match quoted {
            Some(_) => Ok(Value::Word(Ident::new(word, expr.span()))),
            None => Err(quote_it(expr, word)),
        };
    }
    let key = spec.key;
    let message = match suggest::nearest(&found, words.iter().copied()) {
        Some(near) => format!("unknown value for `{key}`: did you mean `\"{near}\"`?"),
        None if key == "stop" => format!("`{key}` takes {}, or is left out", listed(words)),
        None => format!("`{key}` takes {}", listed(words)),
    };
    Err(Error::new_spanned(expr, message))
}

/// The error for a value that is right but for its quotes.
pub(super) fn quote_it(expr: &Expr, word: &str) -> Error {
    Error::new_spanned(expr, format!("this is text: write `\"{word}\"`"))
}

fn path(spec: &Spec, expr: Expr) -> Result<Value, Error> {
    let written = text(&expr).and_then(|text| text.parse_with(Path::parse_mod_style).ok());
    match (written, expr) {
        (Some(path), _) => Ok(Value::Path(path)),
        (None, Expr::Path(path)) if path.qself.is_none() => Ok(Value::Path(path.path)),
        (_, expr) => Err(spec.error("is a path", expr)),
    }
}

/// `"a"`, `"b"` or `"c"`
fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
        None => String::new(),
    }
}
