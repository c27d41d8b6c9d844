//! Divides the function's other attributes between the outer and the inner
//! function. Attributes for callers and for rustc stay on the outer function;
//! those that work on the body, such as `#[tracing::instrument]`, go to the
//! inner one.

use syn::{Attribute, Meta};

use crate::item::Function;
use crate::valid::stacked;

/// The attributes of the outer function. Lint levels are among them because the
/// inner function inherits them; on both, an `#[expect]` would need two lints.
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

/// The attributes for the outer function, which callers see.
pub(crate) fn outer(function: &Function) -> impl Iterator<Item = &Attribute> {
    kept(function).filter(|it| is_outer(it))
}

/// The attributes for the inner function, which has the body.
pub(crate) fn inner(function: &Function) -> impl Iterator<Item = &Attribute> {
    kept(function).filter(|it| !is_outer(it))
}

/// Whether it is a bare `#[must_use]`, in the place of which there is one with a message.
pub(crate) fn is_bare_must_use(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::Path(path) if path.is_ident("must_use"))
}

/// Whether it is any `#[must_use]`.
pub(crate) fn is_must_use(attribute: &Attribute) -> bool {
    attribute.path().is_ident("must_use")
}

fn kept(function: &Function) -> impl Iterator<Item = &Attribute> {
    function.attrs.iter().filter(|it| !stacked::is_runtime(it))
}

fn is_outer(attribute: &Attribute) -> bool {
    OUTER.iter().any(|name| attribute.path().is_ident(name))
}
