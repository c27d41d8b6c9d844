//! From the tokens of an attribute and its item to the tokens that replace
//! them: parse, validate, expand. The item is in the output whatever is wrong.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attr;
use crate::attr::table::Attribute;
use crate::errors::Errors;
use crate::expand;
use crate::item;
use crate::valid;

/// `#[graceful::main]`
pub(crate) fn main(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    run(Attribute::Main, arguments, item)
}

/// `#[graceful::worker]`
pub(crate) fn worker(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    run(Attribute::Worker, arguments, item)
}

/// `#[graceful::test]`
pub(crate) fn test(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    run(Attribute::Test, arguments, item)
}

fn run(attribute: Attribute, arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = attr::parse(attribute, arguments, &mut errors);
    let Some(function) = item::parse(attribute, item, &mut errors) else {
        return quote!(#errors #item);
    };
    valid::check(attribute, &function, &options, &mut errors);
    let expanded = expand::expand(attribute, &function, &options, errors.is_empty());
    quote!(#errors #expanded)
}
