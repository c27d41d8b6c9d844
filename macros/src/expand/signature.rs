//! The signature of an outer function.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::expand::param::Param;
use crate::expand::span::{self, at};
use crate::item::Function;

/// `<T>(&self, queue: Queue) -> Output where ..`
pub(crate) fn signature(function: &Function, params: &[Param<'_>], output: TokenStream, sound: bool) -> TokenStream {
    let generics = &function.sig.generics;
    let clause = &generics.where_clause;
    let receiver = function.receiver().into_iter();
    let params = params.iter().map(|param| param.declared(sound));
    let output = span::ending(output, function);
    let mut inputs = TokenStream::new();
    function.sig.paren_token.surround(&mut inputs, |inside| {
        inside.extend(quote!(#(#receiver,)* #(#params),*));
    });
    let arrow = quote_spanned!(at(function.sig.ident.span())=> ->);
    quote!(#generics #inputs #arrow #output #clause)
}
