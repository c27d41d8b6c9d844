//! All the mistakes of one attribute, reported together.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors(Vec<Error>);

impl Errors {
    /// Notes a mistake in `tokens`, all of which get underlined.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// Notes a mistake that knows its place.
    pub(crate) fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    /// Whether nothing was wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ToTokens for Errors {
    /// In the order of the source, whatever was checked first.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let mut errors: Vec<&Error> = self.0.iter().collect();
        if proc_macro::is_available() {
            errors.sort_by_key(|error| {
                let start = error.span().unwrap();
                (start.line(), start.column())
            });
        }
        tokens.extend(errors.into_iter().map(Error::to_compile_error));
    }
}
