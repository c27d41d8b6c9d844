//! The parameters of the outer function: a name for each pattern of the user's.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
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

/// Input:  `mut queue: Queue, (a, b): (u8, u8), _: Cache`
/// Output: `queue: Queue, a_b: (u8, u8), ignored: Cache`
///
/// The names are read in the documentation. One that stands for a pattern is the macro's own, so that it clashes with
/// nothing of the user's.
pub(crate) fn all(function: &Function) -> Vec<Param<'_>> {
    let mut params: Vec<Param<'_>> = Vec::new();
    for typed in function.typed() {
        let is_free = |name: &Ident| {
            // The inner function shadows a parameter of the same name.
            *name != function.sig.ident && params.iter().all(|earlier| earlier.name != *name)
        };
        let plain = plain(&typed.pat).filter(|name| is_free(name)).filter(|name| !name.to_string().starts_with('_'));
        let name = match plain {
            Some(name) => name.clone(),
            None => free(&word(&typed.pat), at(typed.pat.span()), is_free),
        };
        let cfgs = typed.attrs.iter().filter(|it| it.path().is_ident("cfg")).collect();
        params.push(Param { cfgs, name, ty: &typed.ty });
    }
    params
}

/// Words of a pattern that bind nothing.
const NO_NAMES: &[&str] = &["crate", "mut", "ref", "self", "super"];

/// The names that a pattern binds as one word: `a_b` for `(a, b)`.
fn word(pat: &Pat) -> String {
    let mut names = Vec::new();
    bound(pat.to_token_stream(), &mut names);
    if names.is_empty() { "ignored".to_owned() } else { names.join("_") }
}

/// The words of a pattern that are names: they begin with a small letter, and no path goes on from them.
fn bound(tokens: TokenStream, names: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => bound(group.stream(), names),
            TokenTree::Ident(word) => {
                let word = word.unraw().to_string();
                // `x` of `Point { x: left }` is a field, and `a` of `a::B` a module.
                let is_more = matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
                let name = word.trim_matches('_');
                if !is_more && name.starts_with(char::is_lowercase) && !NO_NAMES.contains(&name) {
                    names.push(name.to_owned());
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// The word as a name, with a number if there is another of that name.
fn free(word: &str, span: Span, is_free: impl Fn(&Ident) -> bool) -> Ident {
    let named = |word: &str| {
        syn::parse_str::<Ident>(word).map_or_else(|_| Ident::new_raw(word, span), |_| Ident::new(word, span))
    };
    let mut name = named(word);
    let mut number = 2_u32;
    while !is_free(&name) {
        name = Ident::new(&format!("{word}_{number}"), span);
        number += 1;
    }
    name
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
