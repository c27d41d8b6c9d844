//! Where generated tokens say that they are: somewhere in the user's code, so
//! that errors point there, but with names that meet none of the user's.

use proc_macro2::{Span, TokenTree};
use quote::ToTokens;

use crate::item::Function;

/// A place of the user's, for tokens that see none of the user's locals.
pub(crate) fn at(place: Span) -> Span {
    place.resolved_at(Span::mixed_site())
}

/// The first and the last token of something the user wrote. On stable Rust a
/// span cannot be made to cover both, but rustc underlines from the first
/// token of an expression to its last.
pub(crate) fn of(tokens: impl ToTokens) -> (Span, Span) {
    let tokens: Vec<TokenTree> = tokens.into_token_stream().into_iter().collect();
    let first = tokens
        .first()
        .map_or_else(Span::mixed_site, TokenTree::span);
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
