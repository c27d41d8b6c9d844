//! The spans of generated tokens: a location in the user's code, where rustc
//! reports errors, and the hygiene of the macro, so that generated names do not
//! clash with the user's.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

use crate::item::{Body, Function};

/// A location of the user's with the hygiene of the macro.
pub(crate) fn at(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}

/// The spans of the first and of the last of the user's tokens. Stable Rust
/// cannot join the two, but rustc underlines an expression from its first token
/// to its last.
pub(crate) fn of(tokens: impl ToTokens) -> (Span, Span) {
    let tokens: Vec<TokenTree> = tokens.into_token_stream().into_iter().collect();
    let first = tokens.first().map_or_else(Span::mixed_site, TokenTree::span);
    let last = tokens.last().map_or(first, TokenTree::span);
    (at(first), at(last))
}

/// The spans for errors in the result: those of the return type, or of the
/// function's name if there is none.
pub(crate) fn of_result(function: &Function) -> (Span, Span) {
    match function.result() {
        Some(result) => of(result),
        None => of(&function.sig.ident),
    }
}

/// The tokens, the last of which gets the span of the signature's last token.
/// rustc lints an item, and its signature, as the user's own if both the first
/// and the last token are the user's.
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

/// The tokens, in the braces of the user's body.
pub(crate) fn braced(tokens: TokenStream, function: &Function) -> Group {
    let mut group = Group::new(Delimiter::Brace, tokens);
    match &function.body {
        Body::Block(body) => group.set_span(body.span()),
        Body::Missing(semi) => group.set_span(semi.span),
    }
    group
}
