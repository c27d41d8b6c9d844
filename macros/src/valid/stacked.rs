//! Several attributes on one function that each start it.

use proc_macro2::{TokenStream, TokenTree};
use syn::Path;

use crate::attr::table::Attribute;
use crate::errors::Errors;
use crate::item::{Body, Function};

/// Reports each attribute of a runtime below this one.
pub(crate) fn check(attribute: Attribute, function: &Function, errors: &mut Errors) {
    for other in function.attrs.iter().filter(|other| is_runtime(other)) {
        let written = format!("#[{}]", written(other.path()));
        let own = attribute.written();
        let message = match attribute {
            Attribute::Worker => {
                format!("`{own}` makes the function a worker and nothing else: remove `{written}`")
            }
            Attribute::Main => {
                format!("`{own}` starts the runtime itself: remove `{written}`")
            }
            Attribute::Test => format!("`{own}` makes the test itself: remove `{written}`"),
        };
        errors.at(other, message);
    }
}

/// Whether an attribute starts a runtime or makes the function a test or a
/// worker: `main`, `test` and `worker` of any crate, and std's `test`.
pub(crate) fn is_runtime(attribute: &syn::Attribute) -> bool {
    let path = attribute.path();
    let Some(last) = path.segments.last() else {
        return false;
    };
    let qualified = path.segments.len() > 1;
    last.ident == "test" || qualified && (last.ident == "main" || last.ident == "worker")
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
    fn a_test_and_any_main_or_worker_of_a_crate_are_runtimes() {
        for attribute in [
            parse_quote!(#[test]),
            parse_quote!(#[tokio::test]),
            parse_quote!(#[tokio::main]),
            parse_quote!(#[graceful::worker]),
        ] {
            assert!(is_runtime(&attribute));
        }
        for attribute in [parse_quote!(#[main]), parse_quote!(#[worker]), parse_quote!(#[clippy::pedantic])] {
            assert!(!is_runtime(&attribute));
        }
    }
}
