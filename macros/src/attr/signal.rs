//! Reads the names of signals.

use proc_macro2::Ident;
use quote::format_ident;
use syn::spanned::Spanned;
use syn::{Expr, LitStr};

use crate::attr::Setting;
use crate::attr::suggest;
use crate::attr::value::{text, ungroup};
use crate::errors::Errors;

/// A signal, and where it was named.
pub(crate) struct Signal {
    /// Such as `SIGTERM`.
    pub(crate) name: &'static str,
    /// Its variant of `graceful::Signal`, with the span of the name.
    pub(crate) variant: Ident,
}

/// Every signal that can be named, and its variant.
const SIGNALS: &[(&str, &str)] = &[
    ("SIGTERM", "Terminate"),
    ("SIGINT", "Interrupt"),
    ("SIGQUIT", "Quit"),
    ("SIGHUP", "Hangup"),
    ("SIGUSR1", "User1"),
    ("SIGUSR2", "User2"),
];

impl Setting {
    /// A list of different signals; `None` when one of them is wrong.
    pub(crate) fn signals(self, errors: &mut Errors) -> Option<Vec<Signal>> {
        let write = self.write;
        let list = match self.expr()? {
            Expr::Array(array) => array.elems,
            other => {
                errors.at(other, format!("`signals` is a list of names: write `{write}`"));
                return None;
            }
        };
        let mut signals: Vec<Signal> = Vec::new();
        let mut all_known = true;
        for element in list {
            match signal(&ungroup(element), errors) {
                Some(new) if signals.iter().any(|old| old.name == new.name) => {
                    let message = format!("{} is listed twice: remove one of the two", new.name);
                    errors.at(new.variant, message);
                }
                Some(new) => signals.push(new),
                None => all_known = false,
            }
        }
        all_known.then_some(signals)
    }

    /// One signal.
    pub(crate) fn signal(self, errors: &mut Errors) -> Option<Signal> {
        signal(&self.expr()?, errors)
    }
}

fn signal(expr: &Expr, errors: &mut Errors) -> Option<Signal> {
    let found = text(expr).map(LitStr::value).unwrap_or_default();
    if let Some((name, variant)) = SIGNALS.iter().find(|(name, _)| *name == found) {
        return Some(Signal { name, variant: format_ident!("{variant}", span = expr.span()) });
    }
    errors.at(expr, wrong(&found));
    None
}

/// Why `found` is no signal to wait for.
fn wrong(found: &str) -> String {
    let names = || SIGNALS.iter().map(|(name, _)| *name);
    let full = format!("SIG{}", found.to_uppercase().trim_start_matches("SIG"));
    if full == "SIGKILL" || full == "SIGSTOP" {
        return format!("{full} cannot be caught by any process: remove it");
    }
    match suggest::nearest(&full, names()) {
        Some(near) if found.len() > 2 => {
            format!("unknown signal: did you mean `\"{near}\"`?")
        }
        _ => {
            let all: Vec<_> = names().map(|name| format!("`\"{name}\"`")).collect();
            format!("a signal is one of {}", all.join(", "))
        }
    }
}
