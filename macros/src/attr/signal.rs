//! Reads the names of signals.

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{Error, Expr, LitStr};

use crate::attr::literal::{text, ungroup, word};
use crate::attr::suggest;
use crate::attr::table::Spec;
use crate::attr::value::quote_it;
use crate::errors::Errors;

/// The name of a signal.
pub(crate) struct Signal {
    /// Such as `SIGTERM`.
    pub(crate) name: &'static str,
    /// Its variant of `graceful::Signal`, placed at the name.
    pub(crate) variant: Ident,
}

/// The signals that can be named, with their variants.
const SIGNALS: &[(&str, &str)] = &[
    ("SIGTERM", "Terminate"),
    ("SIGINT", "Interrupt"),
    ("SIGQUIT", "Quit"),
    ("SIGHUP", "Hangup"),
    ("SIGUSR1", "User1"),
    ("SIGUSR2", "User2"),
    ("SIGABRT", "Abort"),
];

/// Input:  `["SIGTERM", "SIGINT"]`
/// Output: the signals, each once; `None` if one of them is wrong
pub(super) fn list(spec: &Spec, expr: Expr, errors: &mut Errors) -> Option<Vec<Signal>> {
    let Expr::Array(array) = expr else {
        return errors.ok(Err(spec.error("is a list of names", expr)));
    };
    let mut signals: Vec<Signal> = Vec::new();
    let mut are_known = true;
    for element in array.elems {
        match errors.ok(one(&ungroup(element))) {
            Some(new) if signals.iter().any(|old| old.name == new.name) => {
                let message = format!("{} is listed twice: remove one of the two", new.name);
                errors.at(new.variant, message);
            }
            Some(new) => signals.push(new),
            None => are_known = false,
        }
    }
    are_known.then_some(signals)
}

/// Input:  `"SIGTERM"`
/// Output: the signal
pub(super) fn one(expr: &Expr) -> Result<Signal, Error> {
    let quoted = text(expr).map(LitStr::value);
    let found = quoted.clone().or_else(|| word(expr)).unwrap_or_default();
    let is_called = |(name, variant): &&(&str, &str)| *name == found || quoted.is_none() && *variant == found;
    let Some((name, variant)) = SIGNALS.iter().find(is_called) else {
        return Err(Error::new_spanned(expr, wrong(&found)));
    };
    if quoted.is_none() {
        return Err(quote_it(expr, name));
    }
    let variant = Ident::new(variant, expr.span());
    Ok(Signal { name, variant })
}

/// The message for text that does not name a signal that can be handled.
fn wrong(found: &str) -> String {
    let names = || SIGNALS.iter().map(|(name, _)| *name);
    let full = format!("SIG{}", found.to_uppercase().trim_start_matches("SIG"));
    if full == "SIGKILL" || full == "SIGSTOP" {
        return format!("{full} cannot be caught by any process: remove it");
    }
    match suggest::nearest(&full, names()) {
        Some(near) if found.len() > 2 => format!("unknown signal: did you mean `\"{near}\"`?"),
        _ => {
            let all: Vec<_> = names().map(|name| format!("`\"{name}\"`")).collect();
            format!("a signal is one of {}", all.join(", "))
        }
    }
}
