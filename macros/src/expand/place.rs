//! Where generated tokens say that they are: somewhere in the user's code, so
//! that errors point there, but with names that meet none of the user's.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

use crate::item::{Body, Function};

/// A place of the user's, for tokens that see none of the user's locals.
pub(crate) fn at(place: Span) -> Span {
    place.resolved_at(Span::mixed_site())
}

/// The first and the last token of something the user wrote. On stable Rust a
/// span cannot be made to cover both, but rustc underlines from the first
/// token of an expression to its last.
pub(crate) fn of(tokens: impl ToTokens) -> (Span, Span) {
    let tokens: Vec<TokenTree> = tokens.into_token_stream().into_iter().collect();
    let first = tokens.first().map_or_else(Span::mixed_site, TokenTree::span);
    let last = tokens.last().map_or(first, TokenTree::span);
    (at(first), at(last))
}

/// Where a complaint about the result belongs: the return type, or else the
/// name of the function.
pub(crate) fn of_result(function: &Function) -> (Span, Span) {
    match function.result() {
        Some(result) => of(result),
        None => of(&function.sig.ident),
    }
}

/// The last token of the user's head of the function: rustc takes an item for
/// the user's, and warns about it, when it begins and ends with tokens of the
/// user's, and so does its head.
pub(crate) fn ending(tokens: TokenStream, function: &Function) -> TokenStream {
    let end = match function.result() {
        Some(result) => result.to_token_stream().into_iter().last(),
        None => None,
    };
    let end = end.map_or_else(|| function.sig.paren_token.span.close(), |token| token.span());
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    if let Some(last) = tokens.last_mut() {
        last.set_span(end);
    }
    tokens.into_iter().collect()
}

/// The tokens in the braces of the user's body.
pub(crate) fn braced(tokens: TokenStream, function: &Function) -> Group {
    let mut group = Group::new(Delimiter::Brace, tokens);
    match &function.body {
        Body::Block(body) => group.set_span(body.span()),
        Body::Missing(semi) => group.set_span(semi.span),
    }
    group
}
