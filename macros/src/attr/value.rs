//! Reads the value of one option: a duration, a word out of a few, a number,
//! a name, a path.

use core::time::Duration;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Error, Expr, Lit, LitStr, Path, RangeLimits, UnOp};

use crate::attr::suggest;
use crate::attr::{Setting, Value};
use crate::duration;
use crate::errors::Errors;

/// A length of time.
pub(crate) enum Time {
    /// Written as text, known while compiling.
    Literal(Duration, Span),
    /// Any expression of type `Duration`.
    Expr(Expr),
}

/// How long a whole stop may take.
pub(crate) enum Budget {
    /// As long as it likes: `"none"`.
    Unlimited,
    /// A length of time.
    Limited(Time),
}

/// A word out of a few, and where it was written.
pub(crate) struct Word {
    /// The word itself.
    pub(crate) text: &'static str,
    /// Its place.
    pub(crate) span: Span,
}

impl Setting {
    /// The expression, unless the setting is broken (and reported already).
    pub(crate) fn expr(self) -> Option<Expr> {
        match self.value {
            Value::Expr(expr) => Some(ungroup(expr)),
            Value::Flag | Value::Broken => None,
        }
    }

    /// An option that is on when it stands alone, or as it says.
    pub(crate) fn flag(self, errors: &mut Errors) -> Option<bool> {
        if matches!(self.value, Value::Flag) {
            return Some(true);
        }
        let key = self.key.clone();
        let expr = self.expr()?;
        if let Expr::Lit(lit) = &expr
            && let Lit::Bool(on) = &lit.lit
        {
            return Some(on.value);
        }
        errors.at(expr, format!("`{key}` is on or off: write `{key}` or leave it out"));
        None
    }

    /// A length of time.
    pub(crate) fn time(self, errors: &mut Errors) -> Option<Time> {
        let (key, write) = (self.key.clone(), self.write);
        let expr = self.expr()?;
        match text(&expr) {
            Some(text) => match duration::parse(&text.value()) {
                Ok(duration) => Some(Time::Literal(duration, text.span())),
                Err(message) => {
                    errors.at(text, message);
                    None
                }
            },
            None if is_literal(&expr) => {
                let message = format!("`{key}` is a duration with a unit: write `{write}`");
                errors.at(expr, message);
                None
            }
            None => Some(Time::Expr(expr)),
        }
    }

    /// The whole budget of a stop, which `"none"` lifts.
    pub(crate) fn budget(self, errors: &mut Errors) -> Option<Budget> {
        let unlimited = match &self.value {
            Value::Expr(expr) => text(expr).is_some_and(|text| text.value() == "none"),
            Value::Flag | Value::Broken => false,
        };
        if unlimited {
            return Some(Budget::Unlimited);
        }
        self.time(errors).map(Budget::Limited)
    }

    /// One of `words`, as a string.
    pub(crate) fn word(self, words: &[&'static str], errors: &mut Errors) -> Option<Word> {
        let key = self.key.clone();
        let expr = self.expr()?;
        let found = text(&expr).map(LitStr::value);
        if let Some(word) = words.iter().find(|word| found.as_deref() == Some(**word)) {
            return Some(Word { text: word, span: expr.span() });
        }
        let near = found.and_then(|found| suggest::nearest(&found, words.iter().copied()));
        errors.at(
            expr,
            match near {
                Some(near) => format!("unknown value for `{key}`: did you mean `\"{near}\"`?"),
                None => format!("`{key}` takes {}", listed(words)),
            },
        );
        None
    }

    /// A whole number above zero, or any other expression.
    pub(crate) fn count(self, errors: &mut Errors) -> Option<Expr> {
        let (key, write) = (self.key.clone(), self.write);
        let expr = self.expr()?;
        let wrong = match &expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Int(number) => number.base10_parse::<u32>().map_or(true, |n| n == 0),
                _ => true,
            },
            other => is_literal(other),
        };
        if wrong {
            errors.at(&expr, format!("`{key}` is a whole number above zero: write `{write}`"));
            return None;
        }
        Some(expr)
    }

    /// Text that is not empty, or any other expression.
    pub(crate) fn name(self, errors: &mut Errors) -> Option<Expr> {
        let (key, write) = (self.key.clone(), self.write);
        let expr = self.expr()?;
        let wrong = match text(&expr) {
            Some(text) => text.value().trim().is_empty(),
            None => is_literal(&expr),
        };
        if wrong {
            errors.at(&expr, format!("`{key}` is text that is not empty: write `{write}`"));
            return None;
        }
        Some(expr)
    }

    /// The path of this crate, bare or as a string.
    pub(crate) fn path(self, errors: &mut Errors) -> Option<Path> {
        let write = self.write;
        let expr = self.expr()?;
        let written = text(&expr).map(|text| text.parse_with(Path::parse_mod_style));
        match (written, expr) {
            (Some(Ok(path)), _) => Some(path),
            (None, Expr::Path(path)) if path.qself.is_none() => Some(path.path),
            (_, expr) => {
                errors.at(expr, format!("`crate` is a path: write `{write}`"));
                None
            }
        }
    }

    /// The shortest and the longest wait, as `"100ms..10s"` or as a range of
    /// two expressions.
    pub(crate) fn backoff(self, errors: &mut Errors) -> Option<(Time, Time)> {
        let write = self.write;
        match self.expr()? {
            Expr::Range(range) if matches!(range.limits, RangeLimits::HalfOpen(_)) => {
                if let (Some(min), Some(max)) = (range.start, range.end) {
                    return Some((Time::Expr(*min), Time::Expr(*max)));
                }
                let message = format!("`backoff` has a shortest and a longest wait: write `{write}`");
                errors.push(Error::new(range.limits.span(), message));
                None
            }
            expr => {
                let found = text(&expr).map(LitStr::value).unwrap_or_default();
                waits(&found, expr.span(), write).map_err(|message| errors.at(expr, message)).ok()
            }
        }
    }
}

/// Reads `"100ms..10s"`.
fn waits(found: &str, span: Span, write: &str) -> Result<(Time, Time), String> {
    let (min, max) = found
        .split_once("..")
        .ok_or_else(|| format!("`backoff` has a shortest and a longest wait: write `{write}`"))?;
    let (min, max) = (duration::parse(min)?, duration::parse(max)?);
    if min > max {
        return Err(format!("the first wait of `backoff` is the shorter one: write `{write}`"));
    }
    Ok((Time::Literal(min, span), Time::Literal(max, span)))
}

/// The string literal that an expression is.
pub(crate) fn text(expr: &Expr) -> Option<&LitStr> {
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Str(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Whether it is a literal, signed or not.
fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_) => true,
        Expr::Unary(unary) => matches!(unary.op, UnOp::Neg(_)) && is_literal(&unary.expr),
        _ => false,
    }
}

/// Without the invisible groups that `macro_rules!` puts around `$x:expr`.
pub(crate) fn ungroup(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => ungroup(*group.expr),
        other => other,
    }
}

/// `"a"`, `"b"` or `"c"`
pub(crate) fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
        None => String::new(),
    }
}
