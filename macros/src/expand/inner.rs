//! The inner function: the user's own signature and body, so that rustc reports
//! the same errors and lints as without the attribute.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{GenericParam, Safety, Signature};

use crate::attr::table::Attribute;
use crate::expand::attributes;
use crate::expand::span::at;
use crate::item::{Body, Function};

/// How many arguments clippy lets pass.
const MOST_ARGUMENTS: usize = 7;

/// Input:  `pub const async fn f(mut a: A) -> R { body }`
/// Output: `async fn f(mut a: A) -> R { body }`
///
/// After an error (`sound` is false) the parts that are wrong are left out. A
/// function without a body or with `self` is left out altogether.
pub(crate) fn function(attribute: Attribute, function: &Function, sound: bool, may_block: bool) -> TokenStream {
    let (Body::Block(body), None) = (&function.body, function.receiver()) else {
        return TokenStream::new();
    };
    let attrs = attributes::inner(attribute, function);
    let Signature { asyncness, safety, fn_token, ident, generics, output, .. } = &function.sig;
    // rustc takes a signature that begins with a generated token for generated
    // code, and no lint suggests another signature.
    let start = match asyncness {
        Some(asyncness) => quote_spanned!(at(asyncness.span)=> async),
        None if may_block => TokenStream::new(),
        None => quote_spanned!(at(fn_token.span)=> async),
    };
    let keyword = quote_spanned!(at(fn_token.span)=> fn);
    let unused = (!sound).then(|| quote!(#[allow(dead_code)]));
    // A lint on the signature speaks once, of the outer function. `forbid` allows no `allow` where there is nothing to say.
    let named = (ident.to_string().chars().any(char::is_uppercase)).then(|| quote!(#[allow(non_snake_case)]));
    let crowded = (function.sig.inputs.len() > MOST_ARGUMENTS).then(|| quote!(#[allow(clippy::too_many_arguments)]));
    let safety = matches!(safety, Safety::Unsafe(_)).then_some(safety);
    // The parentheses are the user's own, because rustc puts hints at their end.
    let mut inputs = TokenStream::new();
    function.sig.paren_token.surround(&mut inputs, |inside| {
        let typed = function.typed();
        inside.extend(quote!(#(#typed),*));
    });
    let clause = &generics.where_clause;
    quote! {
        #unused #named #crowded
        #(#attrs)*
        #start #safety #keyword #ident #generics #inputs #output
        #clause
        #body
    }
}

/// `::<T, N>`, for a call of the inner function. rustc infers the lifetimes, and everything if a `#[cfg]` says which
/// parameters there are: an argument cannot have one.
pub(crate) fn turbofish(function: &Function) -> TokenStream {
    if function.sig.generics.params.iter().any(has_attributes) {
        return TokenStream::new();
    }
    let names: Vec<&Ident> = function
        .sig
        .generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    if names.is_empty() {
        return TokenStream::new();
    }
    let span = at(function.sig.ident.span());
    quote_spanned!(span=> ::<#(#names),*>)
}

fn has_attributes(param: &GenericParam) -> bool {
    match param {
        GenericParam::Type(param) => !param.attrs.is_empty(),
        GenericParam::Const(param) => !param.attrs.is_empty(),
        GenericParam::Lifetime(param) => !param.attrs.is_empty(),
    }
}
