//! Parses the options of an attribute.
//!
//! After a syntax error the parser skips to the next comma, so that an error
//! in one option does not hide the errors in the next.

pub(crate) mod table;

mod literal;
mod suggest;

pub(crate) mod signal;

pub(crate) mod value;

pub(crate) mod options;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, Token, parse_quote_spanned, token};

use crate::attr::options::Options;
use crate::attr::table::{Attribute, Spec};
use crate::errors::Errors;

/// Input:  `stop_timeout = "25s", reraise`
/// Output: the options that were given
pub(crate) fn parse(attribute: Attribute, tokens: TokenStream, errors: &mut Errors) -> Options {
    let given = Vec::new();
    let mut options = Options { attribute, given };
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            option(&mut options, input, errors);
            separator(attribute, input, errors);
        }
        Ok(())
    };
    // The parser takes all tokens and never fails.
    let _: Result<(), Error> = parser.parse2(tokens);
    options
}

/// Parses one option, reads its value and adds it to the others.
fn option(options: &mut Options, input: ParseStream<'_>, errors: &mut Errors) {
    let Some((spec, key)) = errors.ok(key(options.attribute, input)) else {
        return skip_to_comma(input);
    };
    let expr = errors.ok(value(spec, &key, input));
    if expr.is_none() {
        skip_to_comma(input);
    }
    if options.given.iter().any(|(old, _)| *old == key) {
        let message = format!("`{key}` is set twice: remove one of the two");
        errors.push(Error::new(key.span(), message));
        return;
    }
    let value = expr.and_then(|expr| value::read(spec, expr, errors));
    options.given.push((key, value));
}

/// Parses the key and finds its row of the table.
fn key(attribute: Attribute, input: ParseStream<'_>) -> Result<(&'static Spec, Ident), Error> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format!(
            "expected an option of `{}`, such as `{}`",
            attribute.written(),
            attribute.options()[0].written(),
        )));
    }
    let key = dashed(attribute, input.call(Ident::parse_any)?, input)?;
    match attribute.option(&key.to_string()) {
        Some(spec) => Ok((spec, key)),
        None => Err(suggest::unknown(attribute, &key)),
    }
}

/// The key with what follows it after dashes: an error, as keys have underscores.
fn dashed(attribute: Attribute, key: Ident, input: ParseStream<'_>) -> Result<Ident, Error> {
    let first = key.span();
    let (mut written, mut meant) = (key.to_string(), key.to_string());
    while input.peek(Token![-]) && input.peek2(Ident::peek_any) {
        input.parse::<Token![-]>()?;
        let next = input.call(Ident::parse_any)?;
        let next = next.to_string();
        written.extend(["-", &next]);
        meant.extend(["_", &next]);
    }
    if written == meant {
        return Ok(key);
    }
    Err(match attribute.option(&meant) {
        Some(_) => Error::new(first, format!("`{written}` is written with underscores: `{meant}`")),
        None => suggest::unknown(attribute, &Ident::new(&meant, first)),
    })
}

/// Parses the expression after the `=`. A flag without one is `true`.
fn value(spec: &Spec, key: &Ident, input: ParseStream<'_>) -> Result<Expr, Error> {
    let shape = if spec.is_flag() { format!("`{key}` or `{key} = true`") } else { format!("`{}`", spec.written()) };
    let ends = || input.is_empty() || input.peek(Token![,]);
    let missing = |place| Error::new(place, format!("`{key}` takes a value: write {shape}"));
    let instead_of_equals =
        input.peek(Token![:]) || input.peek(token::Paren) || input.peek(Token![==]) || input.peek(Token![=>]);
    if instead_of_equals {
        return Err(input.error(format!("an option is set with `=`: write {shape}")));
    }
    let Some(equals) = input.parse::<Option<Token![=]>>()? else {
        return if spec.is_flag() {
            // If a comma is missing here, `separator` reports it.
            Ok(parse_quote_spanned!(key.span()=> true))
        } else if ends() {
            Err(missing(key.span()))
        } else {
            Err(input.error(format!("expected `=` after `{key}`: write {shape}")))
        };
    };
    if ends() {
        return Err(missing(equals.span));
    }
    // The fork leaves the input at the start of an expression that does not parse.
    let start = input.span();
    let ahead = input.fork().parse::<Expr>();
    ahead.and_then(|_| input.parse()).map_err(|_| Error::new(start, format!("not a value for `{key}`: write {shape}")))
}

/// Parses the comma after an option. If only the comma is missing, the next
/// option is parsed as usual.
fn separator(attribute: Attribute, input: ParseStream<'_>, errors: &mut Errors) {
    if input.is_empty() || input.parse::<Token![,]>().is_ok() {
        return;
    }
    let next = input.fork().call(Ident::parse_any).ok();
    if next.is_some_and(|key| attribute.option(&key.to_string()).is_some()) {
        errors.push(input.error("options are separated by commas: write `,` before this one"));
    } else {
        errors.push(input.error("expected `,` and another option, or the end of the attribute"));
        skip_to_comma(input);
        let _: Result<Token![,], _> = input.parse();
    }
}

/// Leaves the input at the next comma, or at its end.
fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            break;
        }
    }
}
