//! Collects the errors of one attribute, to report all of them together.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Errors(Vec<Error>);

impl Errors {
    /// Adds an error that underlines all of `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// Adds an error that has its place already.
    pub(crate) fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    /// The value, or `None` after adding the error.
    pub(crate) fn ok<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Whether no error was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ToTokens for Errors {
    /// In source order, whichever was found first.
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
