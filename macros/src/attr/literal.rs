//! Distinguishes literals from other expressions.

use syn::{Expr, Lit, LitStr, UnOp};

/// The literal, if the expression is one without a sign.
pub(super) fn literal(expr: &Expr) -> Option<&Lit> {
    match expr {
        Expr::Lit(lit) => Some(&lit.lit),
        _ => None,
    }
}

/// The string literal, if the expression is one.
pub(super) fn text(expr: &Expr) -> Option<&LitStr> {
    match literal(expr)? {
        Lit::Str(text) => Some(text),
        _ => None,
    }
}

/// Whether the expression is a literal, with or without a sign.
pub(super) fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Unary(unary) => matches!(unary.op, UnOp::Neg(_)) && is_literal(&unary.expr),
        expr => literal(expr).is_some(),
    }
}

/// The expression without the invisible groups that `macro_rules!` puts around
/// `$x:expr`.
pub(super) fn ungroup(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => ungroup(*group.expr),
        other => other,
    }
}

/// The word, if the expression is one without quotes: `current_thread`, or the last part of `Signal::Terminate`.
pub(super) fn word(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
}

/// A number with a unit that stands without quotes: `5s`.
pub(super) fn unquoted_duration(expr: &Expr) -> Option<String> {
    match literal(expr)? {
        Lit::Int(number) if !number.suffix().is_empty() => Some(number.to_string()),
        _ => None,
    }
}
