//! The parameters of the outer function: a name for each pattern of the user's.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Pat, Type};

use crate::expand::span::{self, at};
use crate::item::Function;
use crate::valid::types;

/// A parameter of the outer function.
pub(crate) struct Param<'a> {
    /// The `#[cfg]`s on it.
    cfgs: Vec<&'a Attribute>,
    /// Its name: the user's own if the pattern is a plain name, so that the
    /// documentation shows it and options can use it.
    name: Ident,
    /// Its type, as the user wrote it.
    ty: &'a Type,
}

/// Input:  `mut queue: Queue, (a, b): (u8, u8)`
/// Output: `queue: Queue, __1: (u8, u8)`
pub(crate) fn all(function: &Function) -> Vec<Param<'_>> {
    let mut params: Vec<Param<'_>> = Vec::new();
    for (index, typed) in function.typed().enumerate() {
        let plain = plain(&typed.pat)
            .filter(|name| params.iter().all(|earlier| earlier.name != **name))
            // The inner function shadows a parameter of the same name.
            .filter(|name| **name != function.sig.ident)
            .filter(|name| !name.to_string().starts_with('_'));
        let name = match plain {
            Some(name) => name.clone(),
            None => format_ident!("__{index}", span = at(typed.pat.span())),
        };
        let cfgs = typed.attrs.iter().filter(|it| it.path().is_ident("cfg")).collect();
        params.push(Param { cfgs, name, ty: &typed.ty });
    }
    params
}

fn plain(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(pat) if pat.subpat.is_none() => Some(&pat.ident),
        _ => None,
    }
}

impl Param<'_> {
    /// `queue: Queue`, for the outer function's signature; `_: Queue` if its body
    /// does not use the parameter.
    pub(crate) fn declared(&self, used: bool) -> TokenStream {
        let Self { cfgs, name, ty } = self;
        let unused = (!used).then(|| quote!(_));
        let name = used.then_some(name);
        quote!(#(#cfgs)* #name #unused: #ty)
    }

    /// `queue`, for a call.
    pub(crate) fn moved(&self) -> TokenStream {
        let Self { cfgs, name, .. } = self;
        quote!(#(#cfgs)* #name)
    }

    /// Another expression in its place.
    pub(crate) fn instead(&self, other: &TokenStream) -> TokenStream {
        let cfgs = &self.cfgs;
        quote!(#(#cfgs)* #other)
    }

    /// `copy(&queue)`, for a call that is repeated. It is placed at the type, where rustc then reports one that is not
    /// `Clone`; in its own place the type would be reported twice if there is none.
    pub(crate) fn copied(&self, copy: &TokenStream) -> TokenStream {
        let Self { cfgs, name, ty } = self;
        let (first, last) = span::of(ty);
        let mut name = name.clone();
        name.set_span(name.span().located_at(last));
        let argument = quote_spanned!(first=> &#name);
        let inside = quote_spanned!(last=> (#argument));
        quote!(#(#cfgs)* #copy #inside)
    }

    /// Whether its type contains one of the function's type parameters, or `impl Trait`, which is one without a name.
    pub(crate) fn is_generic(&self, function: &Function) -> bool {
        let mut names = function.sig.generics.type_params().map(|it| &it.ident);
        types::mentions(self.ty, "impl") || names.any(|name| types::mentions(self.ty, name))
    }
}
