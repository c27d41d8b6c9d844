//! From the tokens of an attribute and its item to the tokens that replace
//! them: parse, read, check, expand. Whatever is wrong, the item is there.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attr;
use crate::attr::grammar::Attribute;
use crate::attr::options::{RuntimeOptions, WorkerOptions};
use crate::errors::Errors;
use crate::expand;
use crate::item;
use crate::valid;

/// `#[graceful::main]`
pub(crate) fn main(attribute: TokenStream, tokens: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let settings = attr::parse(Attribute::Main, attribute, &mut errors);
    let options = RuntimeOptions::read(settings, &mut errors);
    let Some(function) = item::parse(Attribute::Main, tokens, &mut errors) else {
        return quote!(#errors #tokens);
    };
    valid::main(&function, &options, &mut errors);
    let expanded = expand::main(&function, &options, errors.is_empty());
    quote!(#errors #expanded)
}

/// `#[graceful::test]`
pub(crate) fn test(attribute: TokenStream, tokens: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let settings = attr::parse(Attribute::Test, attribute, &mut errors);
    let options = RuntimeOptions::read(settings, &mut errors);
    let Some(function) = item::parse(Attribute::Test, tokens, &mut errors) else {
        return quote!(#errors #tokens);
    };
    valid::test(&function, &options, &mut errors);
    let expanded = expand::test(&function, &options, errors.is_empty());
    quote!(#errors #expanded)
}

/// `#[graceful::worker]`
pub(crate) fn worker(attribute: TokenStream, tokens: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let settings = attr::parse(Attribute::Worker, attribute, &mut errors);
    let options = WorkerOptions::read(settings, &mut errors);
    let Some(function) = item::parse(Attribute::Worker, tokens, &mut errors) else {
        return quote!(#errors #tokens);
    };
    valid::worker(&function, &options, &mut errors);
    let expanded = expand::worker(&function, &options, errors.is_empty());
    quote!(#errors #expanded)
}
