//! `Self` in a worker. The body of a worker becomes a function of a hidden type, which `Self` would silently mean.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::FnArg;

use crate::errors::Errors;
use crate::item::{Body, Function};

/// Reports each `Self` in the signature and in the body.
pub(crate) fn check(function: &Function, errors: &mut Errors) {
    for found in uses(function) {
        let message = "a worker is a free function: write the type's name instead of `Self`";
        errors.at(found, message);
    }
}

/// Whether there is any, so that what the user wrote cannot be compiled as the hidden type's function.
pub(crate) fn is_used(function: &Function) -> bool {
    !uses(function).is_empty()
}

fn uses(function: &Function) -> Vec<Ident> {
    let mut found = Vec::new();
    let sig = &function.sig;
    for input in &sig.inputs {
        // That there is a `self` is reported elsewhere.
        if let FnArg::Typed(typed) = input {
            anywhere(typed.to_token_stream(), &mut found);
        }
    }
    anywhere(sig.generics.to_token_stream(), &mut found);
    anywhere(sig.output.to_token_stream(), &mut found);
    anywhere(sig.generics.where_clause.to_token_stream(), &mut found);
    if let Body::Block(body) = &function.body {
        outside_items(body.stream(), &mut found);
    }
    found
}

fn anywhere(tokens: TokenStream, found: &mut Vec<Ident>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "Self" => found.push(word),
            TokenTree::Group(group) => anywhere(group.stream(), found),
            _ => {}
        }
    }
}

/// In an item inside the body, `Self` is that item's own.
fn outside_items(tokens: TokenStream, found: &mut Vec<Ident>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "Self" => found.push(word),
            TokenTree::Ident(word) => {
                let is_named = matches!(tokens.peek(), Some(TokenTree::Ident(_)));
                let begins_an_item = match word.to_string().as_str() {
                    "impl" => true,
                    "trait" | "struct" | "enum" | "union" => is_named,
                    _ => false,
                };
                if begins_an_item {
                    tokens.by_ref().find(ends_an_item);
                }
            }
            TokenTree::Group(group) => outside_items(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn ends_an_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> usize {
        let mut found = Vec::new();
        outside_items(body.parse().expect("it is made of tokens"), &mut found);
        found.len()
    }

    #[test]
    fn self_is_found_wherever_it_means_the_workers() {
        assert_eq!(found("Self::step(); let Self { a } = b; size_of::<Self>()"), 3);
        assert_eq!(found("matches!(a, Self::A | Self::B) && { let union = Self; union == Self }"), 4);
        assert_eq!(found("impl S {} Self"), 1);
    }

    #[test]
    fn an_item_in_the_body_has_a_self_of_its_own() {
        for item in [
            "impl From<u8> for S where Self: Sized { fn from(_: u8) -> Self { Self } }",
            "trait T: Sized { fn t() -> Self; }",
            "struct S { next: Option<Box<Self>> }",
            "struct S(Option<Box<Self>>);",
            "enum E { A(Box<Self>) }",
            "union U { a: *const Self }",
            "m! { impl S { fn s() -> Self {} } }",
        ] {
            assert_eq!(found(item), 0, "{item}");
        }
    }
}
