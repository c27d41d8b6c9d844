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
