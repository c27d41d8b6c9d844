//! The inner function: the user's own signature and body, so that rustc says
//! about them what it would say without the attribute.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{GenericParam, Safety, Signature};

use crate::expand::place::at;
use crate::expand::placement;
use crate::item::{Body, Function};

/// Input:  `pub const async fn f(mut a: A) -> R { body }`
/// Output: `async fn f(mut a: A) -> R { body }`
///
/// A function that is not `sound` comes without what was wrong about it, and
/// is not there at all when nothing sensible remains.
pub(crate) fn function(function: &Function, sound: bool, may_block: bool) -> TokenStream {
    let (Body::Block(body), None) = (&function.body, function.receiver()) else {
        return TokenStream::new();
    };
    let attrs = placement::inner(function);
    let Signature { asyncness, safety, fn_token, ident, generics, output, .. } = &function.sig;
    // A head that begins with a token of the attribute's is nobody's, and no
    // lint asks for another one.
    let start = match asyncness {
        Some(asyncness) => quote_spanned!(at(asyncness.span)=> async),
        None if may_block => TokenStream::new(),
        None => quote_spanned!(at(fn_token.span)=> async),
    };
    let keyword = quote_spanned!(at(fn_token.span)=> fn);
    let unused = (!sound).then(|| quote!(#[allow(dead_code)]));
    let safety = matches!(safety, Safety::Unsafe(_)).then_some(safety);
    // The parentheses are the user's own: rustc places hints at their end.
    let mut inputs = TokenStream::new();
    function.sig.paren_token.surround(&mut inputs, |inside| {
        let typed = function.typed();
        inside.extend(quote!(#(#typed),*));
    });
    let clause = &generics.where_clause;
    quote! {
        #unused
        #(#attrs)*
        #start #safety #keyword #ident #generics #inputs #output
        #clause
        #body
    }
}

/// `::<T, N>`, for a call of the inner function. Lifetimes are left to rustc.
pub(crate) fn turbofish(function: &Function) -> TokenStream {
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
    let place = at(function.sig.ident.span());
    quote_spanned!(place=> ::<#(#names),*>)
}
