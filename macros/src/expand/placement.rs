//! Where the other attributes of the user's function go: what describes the
//! function to its callers, or to rustc, stays on the outer one; what works on
//! its body, `#[tracing::instrument]` above all, goes to the inner one.

use syn::{Attribute, Meta};

use crate::item::Function;
use crate::valid::stacked;

/// Lint levels are on the outer function because they reach the inner one
/// from there; on both, an `#[expect]` would have to be met twice.
const OUTER: &[&str] = &[
    "allow",
    "cfg",
    "cfg_attr",
    "cold",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "forbid",
    "ignore",
    "inline",
    "must_use",
    "should_panic",
    "warn",
];

/// The attributes of the function that callers see.
pub(crate) fn outer(function: &Function) -> impl Iterator<Item = &Attribute> {
    kept(function).filter(|it| is_outer(it))
}

/// The attributes of the function that has the body.
pub(crate) fn inner(function: &Function) -> impl Iterator<Item = &Attribute> {
    kept(function).filter(|it| !is_outer(it))
}

/// A bare `#[must_use]`, which says nothing that `Worker` does not say.
pub(crate) fn is_bare_must_use(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::Path(path) if path.is_ident("must_use"))
}

fn kept(function: &Function) -> impl Iterator<Item = &Attribute> {
    function.attrs.iter().filter(|it| !stacked::is_runtime(it))
}

fn is_outer(attribute: &Attribute) -> bool {
    OUTER.iter().any(|name| attribute.path().is_ident(name))
}
