//! Divides the function's other attributes between the outer and the inner
//! function. Attributes for callers and for rustc stay on the outer function;
//! those that work on the body, such as `#[tracing::instrument]`, go to the
//! inner one. Of unknown ones, a test keeps those that follow on the outer
//! function, as tokio's does: they are for tests. Others go to the inner one.

use syn::Meta;

use crate::attr::table::Attribute;
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

/// The attributes of a test's inner function: they are for bodies that are `async`.
const ASYNC: &[&str] = &["async_recursion", "framed", "instrument", "measure", "trace"];

/// The attributes for the outer function, which callers see.
pub(crate) fn outer(attribute: Attribute, function: &Function) -> impl Iterator<Item = &syn::Attribute> {
    kept(attribute, function).filter(move |it| is_outer(attribute, it))
}

/// The attributes for the inner function, which has the body.
pub(crate) fn inner(attribute: Attribute, function: &Function) -> impl Iterator<Item = &syn::Attribute> {
    kept(attribute, function).filter(move |it| !is_outer(attribute, it))
}

/// Whether it is a bare `#[must_use]`, in the place of which there is one with a message.
pub(crate) fn is_bare_must_use(attribute: &syn::Attribute) -> bool {
    matches!(&attribute.meta, Meta::Path(path) if path.is_ident("must_use"))
}

/// Whether it is any `#[must_use]`.
pub(crate) fn is_must_use(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("must_use")
}

fn kept(attribute: Attribute, function: &Function) -> impl Iterator<Item = &syn::Attribute> {
    function.attrs.iter().filter(move |it| stacked::refused(attribute, it).is_none() || stacked::renames(it))
}

fn is_outer(attribute: Attribute, other: &syn::Attribute) -> bool {
    let is = |name: &&str| other.path().segments.last().is_some_and(|last| last.ident == name);
    match attribute {
        Attribute::Test => !ASYNC.iter().any(is),
        Attribute::Main | Attribute::Worker => {
            OUTER.iter().any(|name| other.path().is_ident(name)) || stacked::renames(other)
        }
    }
}
