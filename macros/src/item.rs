//! Parses the item under the attribute: a function with a parsed signature and
//! a body of raw tokens, so that a half-written body still expands in an
//! editor. Other items are recognised only to name them in the error.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Error, FnArg, PatType, Receiver, ReturnType, Signature, Token, Type, Visibility, token};

use crate::attr::table::Attribute;
use crate::errors::Errors;

/// A function as the user wrote it.
pub(crate) struct Function {
    /// Its other attributes, doc comments included.
    pub(crate) attrs: Vec<syn::Attribute>,
    /// Its visibility.
    pub(crate) vis: Visibility,
    /// Everything from the qualifiers to the `where` clause.
    pub(crate) sig: Signature,
    /// The body, or the semicolon in its place.
    pub(crate) body: Body,
}

/// The tokens after the signature.
pub(crate) enum Body {
    /// The body in its braces.
    Block(Group),
    /// The semicolon of a declaration.
    Missing(Token![;]),
}

impl Function {
    /// The parameters without a `self` receiver.
    pub(crate) fn typed(&self) -> impl Iterator<Item = &PatType> {
        self.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        })
    }

    /// The `self` receiver of a method.
    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.sig.receiver()
    }

    /// The return type, if it is written.
    pub(crate) fn result(&self) -> Option<&Type> {
        match &self.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, result) => Some(result),
        }
    }

    /// The name of the function, without `r#`.
    pub(crate) fn name(&self) -> String {
        self.sig.ident.unraw().to_string()
    }

    /// Whether the function is called `main`.
    pub(crate) fn is_main(&self) -> bool {
        self.sig.ident == "main"
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let attrs = input.call(syn::Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        let body = if input.peek(token::Brace) { Body::Block(block(input)?) } else { Body::Missing(input.parse()?) };
        Ok(Self { attrs, vis, sig, body })
    }
}

/// The braces that come next, without the invisible groups that `macro_rules!` puts around a `$body:block`.
fn block(input: ParseStream<'_>) -> Result<Group, Error> {
    let mut next: TokenTree = input.parse()?;
    loop {
        next = match next {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => syn::parse2(group.stream())?,
            TokenTree::Group(group) => return Ok(group),
            other => return Err(Error::new(other.span(), "expected the body of the function")),
        };
    }
}

/// Input:  the tokens under the attribute
/// Output: the function, or an error that names the item found instead
pub(crate) fn parse(attribute: Attribute, item: &TokenStream, errors: &mut Errors) -> Option<Function> {
    match syn::parse2(item.clone()) {
        Ok(function) => Some(function),
        Err(error) => {
            let attribute = attribute.written();
            let other = other.parse2(item.clone()).unwrap_or(None);
            errors.push(match other {
                Some(found) => Error::new_spanned(
                    &found.tokens,
                    format!("`{attribute}` goes on a function, not on {}: put it on an `async fn`", found.what),
                ),
                None if item.is_empty() => {
                    Error::new(error.span(), format!("`{attribute}` goes on a function: put it above an `async fn`"))
                }
                None => error,
            });
            None
        }
    }
}

/// The keyword of an item that is not a function, and its name in messages.
struct Found {
    tokens: TokenStream,
    what: &'static str,
}

/// Skips attributes, visibility and qualifiers, up to the keyword of the item.
fn other(input: ParseStream<'_>) -> Result<Option<Found>, Error> {
    input.call(syn::Attribute::parse_outer)?;
    input.parse::<Visibility>()?;
    let mut found = None;
    while found.is_none() && input.peek(Ident::peek_any) {
        let word = input.call(Ident::parse_any)?;
        let what = match word.to_string().as_str() {
            "struct" => "a struct",
            "enum" => "an enum",
            "union" => "a union",
            "trait" => "a trait",
            "impl" => "an impl block",
            "mod" => "a module",
            "static" => "a static",
            "const" if !input.peek(Token![fn]) && !input.peek(Token![async]) => "a constant",
            "type" => "a type alias",
            "use" => "an import",
            "let" => "a `let` statement",
            "macro_rules" => "a macro",
            "extern" if !input.peek(Token![fn]) && !input.peek2(Token![fn]) => "an extern item",
            "fn" => break,
            _ => continue,
        };
        found = Some(Found { tokens: word.into_token_stream(), what });
    }
    drop(input.parse::<TokenStream>());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error for an item that is not a function.
    fn said(item: &str) -> String {
        let tokens = item.parse().expect("it is made of tokens");
        let mut errors = Errors::default();
        let function = parse(Attribute::Worker, &tokens, &mut errors);
        assert!(function.is_none(), "{item}");
        errors.to_token_stream().to_string()
    }

    #[test]
    fn whatever_is_no_function_is_called_by_its_name() {
        for (item, name) in [
            ("struct S;", "a struct"),
            ("pub enum E {}", "an enum"),
            ("union U { a: u8 }", "a union"),
            ("static S: u8 = 1;", "a static"),
            ("type T = u8;", "a type alias"),
            ("pub(crate) use a::b;", "an import"),
            ("let a = 1;", "a `let` statement"),
            ("macro_rules! m { () => {} }", "a macro"),
            ("extern crate a;", "an extern item"),
            ("extern { fn f(); }", "an extern item"),
            ("#[a] unsafe impl T for S {}", "an impl block"),
            ("unsafe auto trait T {}", "a trait"),
        ] {
            let said = said(item);
            assert!(said.contains(&format!("not on {name}:")), "{item}: {said}");
        }
    }

    #[test]
    fn of_a_function_that_is_broken_rustc_speaks() {
        for item in [
            "fn 1() {}",
            "fn struct() {}",
            "const fn 1() {}",
            "const async fn 1() {}",
            "extern fn 1() {}",
            "extern \"C\" fn 1() {}",
        ] {
            let said = said(item);
            assert!(!said.contains("goes on a function"), "{item}: {said}");
        }
    }

    #[test]
    fn above_nothing_it_says_where_it_goes() {
        assert!(said("").contains("put it above an `async fn`"));
    }
}
