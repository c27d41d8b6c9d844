//! Other attributes below this one that cannot work there.

use proc_macro2::{TokenStream, TokenTree};
use syn::Path;

use crate::attr::table::Attribute;
use crate::errors::Errors;
use crate::item::{Body, Function};

/// The crates that have a `main`, a `test` or the like of their own, by the name of their attributes' path.
const RUNTIMES: &[&str] = &[
    "actix",
    "actix_rt",
    "actix_web",
    "async_attributes",
    "async_std",
    "compio",
    "embassy_executor",
    "esp_rtos",
    "glommio",
    "graceful",
    "madsim",
    "monoio",
    "ntex",
    "rocket",
    "shuttle_runtime",
    "smol_macros",
    "smol_potat",
    "sqlx",
    "tokio",
    "tokio_macros",
    "tokio_uring",
    "v1",
    "wasm_bindgen_test",
    "xitca_web",
];

/// What such a crate calls them.
const ENTRIES: &[&str] = &["async_main", "entry", "launch", "main", "task", "test", "worker"];

/// Attributes that make several tests of one function, which then has arguments: they have to see the whole of it.
const TEST_MAKERS: &[&str] = &[
    "case",
    "dir_cases",
    "parameterized",
    "property_test",
    "quickcheck",
    "rstest",
    "test_case",
    "test_matrix",
    "test_resources",
];

/// Attributes that leave another function in the place of this one, with items beside it: builders and caches.
const ITEM_MAKERS: &[&str] = &["builder", PRIVATIZE, "cached", "concurrent_cached", "io_cached", "memoize", "once"];

/// What `#[bon::builder]` leaves on the function below it, to give it another name.
const PRIVATIZE: &str = "__privatize";

/// Reports each attribute below this one that cannot work there.
pub(crate) fn check(attribute: Attribute, function: &Function, errors: &mut Errors) {
    for other in &function.attrs {
        if let Some(message) = refused(attribute, other) {
            errors.at(other, message);
        }
    }
}

/// Why an attribute cannot stand below this one, if it cannot.
pub(crate) fn refused(attribute: Attribute, other: &syn::Attribute) -> Option<String> {
    let (own, found) =
        (attribute.written(), format!("#[{}]", written(other.path()).replace("__::__privatize", "builder")));
    if is_runtime(other) && !(attribute == Attribute::Test && is_generated_test(other)) {
        return Some(match attribute {
            Attribute::Worker => format!("`{own}` makes the function a worker and nothing else: remove `{found}`"),
            Attribute::Main => format!("`{own}` starts the runtime itself: remove `{found}`"),
            Attribute::Test => format!("`{own}` makes the test itself: remove `{found}`"),
        });
    }
    if is_one_of(other, TEST_MAKERS) {
        return (attribute == Attribute::Test)
            .then(|| format!("`{found}` makes tests of this function: put it above `{own}`"));
    }
    is_one_of(other, ITEM_MAKERS).then(|| {
        format!("`{found}` makes other items of this function: put it on a plain function that calls this one")
    })
}

/// Whether it is std's `#[test]` in the form that only other attributes write: one above this one has made it.
pub(crate) fn is_generated_test(attribute: &syn::Attribute) -> bool {
    written(attribute.path()) == "core::prelude::v1::test"
}

/// Whether an attribute stays although it has been reported: without it the function would have another's name.
pub(crate) fn renames(other: &syn::Attribute) -> bool {
    is_one_of(other, &[PRIVATIZE])
}

/// Whether an attribute below makes tests of the function, and gives it arguments.
pub(crate) fn makes_tests(function: &Function) -> bool {
    function.attrs.iter().any(|it| is_one_of(it, TEST_MAKERS))
}

/// Whether an attribute starts a runtime or makes the function a test or a worker: `main`, `test` and the like of a
/// crate that has a runtime, and `main` and `test` without a path, which are std's or imported.
fn is_runtime(attribute: &syn::Attribute) -> bool {
    let segments = &attribute.path().segments;
    let Some(last) = segments.last() else {
        return false;
    };
    match segments.iter().rev().nth(1) {
        Some(krate) => RUNTIMES.iter().any(|name| krate.ident == name) && ENTRIES.iter().any(|name| last.ident == name),
        None => last.ident == "test" || last.ident == "main",
    }
}

fn is_one_of(attribute: &syn::Attribute, names: &[&str]) -> bool {
    attribute.path().segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

/// The message for a function that was written `async` and is not any more:
/// the attribute of a runtime above this one has already expanded it.
pub(crate) fn expanded(function: &Function) -> Option<&'static str> {
    let Body::Block(body) = &function.body else {
        return None;
    };
    mentions_block_on(&body.stream()).then_some(
        "this is not an `async fn` any more: an attribute above, such as `#[tokio::main]`, has \
         made it start a runtime of its own; remove that attribute",
    )
}

fn mentions_block_on(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions_block_on(&group.stream()),
        TokenTree::Ident(ident) => ident == "block_on" || ident == "async_main",
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// `tokio::main`, without its arguments.
fn written(path: &Path) -> String {
    let segments: Vec<_> = path.segments.iter().map(|it| it.ident.to_string()).collect();
    segments.join("::")
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::is_runtime;

    #[test]
    fn runtimes_are_known_by_name() {
        for attribute in [
            parse_quote!(#[test]),
            parse_quote!(#[main]),
            parse_quote!(#[core::prelude::v1::test]),
            parse_quote!(#[tokio::test]),
            parse_quote!(#[::tokio::main]),
            parse_quote!(#[rocket::launch]),
            parse_quote!(#[embassy_executor::task]),
            parse_quote!(#[my_crate::graceful::worker]),
        ] {
            assert!(is_runtime(&attribute));
        }
        for attribute in [
            parse_quote!(#[worker]),
            parse_quote!(#[clippy::pedantic]),
            parse_quote!(#[hotpath::main]),
            parse_quote!(#[test_log::test]),
            parse_quote!(#[tokio::other]),
        ] {
            assert!(!is_runtime(&attribute));
        }
    }
}
