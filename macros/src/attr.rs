//! Parses what stands in the parentheses of an attribute.
//!
//! A mistake costs the option it is in, not the ones after it: the parser
//! skips to the next comma and goes on.

pub(crate) mod grammar;
pub(crate) mod options;
pub(crate) mod signal;
mod suggest;
pub(crate) mod value;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Error, Expr, Token, token};

use crate::attr::grammar::{Attribute, Known};
use crate::errors::Errors;

/// One option, with a key that the attribute knows and that came only once.
pub(crate) struct Setting {
    /// The word before the `=`.
    pub(crate) key: Ident,
    /// The whole option as it should be written, for messages.
    pub(crate) write: &'static str,
    /// What it was set to.
    pub(crate) value: Value,
}

/// What an option was set to.
pub(crate) enum Value {
    /// Nothing: the word stands alone.
    Flag,
    /// An expression of the user's.
    Expr(Expr),
    /// Something that does not parse and was reported.
    Broken,
}

/// Input:  `stop_timeout = "25s", reraise`
/// Output: the settings, in the order they were written
pub(crate) fn parse(attribute: Attribute, tokens: TokenStream, errors: &mut Errors) -> Vec<Setting> {
    let parser = |input: ParseStream<'_>| Ok(settings(attribute, input, errors));
    // The parser above takes any tokens to their end.
    parser.parse2(tokens).unwrap_or_default()
}

fn settings(attribute: Attribute, input: ParseStream<'_>, errors: &mut Errors) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    while !input.is_empty() {
        match setting(attribute, input, errors) {
            Ok(new) if settings.iter().any(|old| old.key == new.key) => {
                let message = format!("`{}` is set twice: remove one of the two", new.key);
                errors.push(Error::new(new.key.span(), message));
            }
            Ok(new) => settings.push(new),
            Err(error) => {
                errors.push(error);
                skip_to_comma(input);
            }
        }
        separator(attribute, input, errors);
    }
    settings
}

/// One option. What fails here has no key that could be kept.
fn setting(attribute: Attribute, input: ParseStream<'_>, errors: &mut Errors) -> Result<Setting, Error> {
    if !input.peek(syn::Ident::peek_any) {
        return Err(input.error(format!(
            "expected an option of `{}`, such as `{}`",
            attribute.written(),
            attribute.example(),
        )));
    }
    let key = input.call(Ident::parse_any)?;
    let known = attribute.option(&key.to_string()).ok_or_else(|| attribute.unknown(&key))?;
    let value = value(known, &key, input).unwrap_or_else(|error| {
        errors.push(error);
        skip_to_comma(input);
        Value::Broken
    });
    Ok(Setting { key, write: known.write, value })
}

/// What follows the key.
fn value(known: &Known, key: &Ident, input: ParseStream<'_>) -> Result<Value, Error> {
    let Known { write, flag, .. } = known;
    if input.is_empty() || input.peek(Token![,]) {
        return if *flag {
            Ok(Value::Flag)
        } else {
            Err(Error::new(key.span(), format!("`{key}` takes a value: write `{write}`")))
        };
    }
    let shape = if *flag { format!("`{key}` or `{key} = true`") } else { format!("`{write}`") };
    let assigned = input.peek(Token![=]) && !input.peek(Token![==]) && !input.peek(Token![=>]);
    if !assigned {
        let instead =
            input.peek(Token![:]) || input.peek(token::Paren) || input.peek(Token![==]) || input.peek(Token![=>]);
        return Err(if instead {
            input.error(format!("an option is set with `=`: write {shape}"))
        } else if *flag {
            // Two options without a comma in between: the separator says so.
            return Ok(Value::Flag);
        } else {
            input.error(format!("expected `=` after `{key}`: write {shape}"))
        });
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        let message = format!("`{key}` takes a value: write {shape}");
        return Err(Error::new(equals.span, message));
    }
    let start = input.span();
    expression(input).map(Value::Expr).map_err(|_| Error::new(start, format!("not a value for `{key}`: write {shape}")))
}

/// An expression, or nothing taken.
fn expression(input: ParseStream<'_>) -> Result<Expr, Error> {
    let ahead = input.fork();
    ahead.call(Expr::parse)?;
    input.parse()
}

/// The comma after an option; where it is missing, the next option is read all
/// the same.
fn separator(attribute: Attribute, input: ParseStream<'_>, errors: &mut Errors) {
    if input.is_empty() || input.parse::<Token![,]>().is_ok() {
        return;
    }
    let ahead = input.fork();
    let next = ahead.call(Ident::parse_any).ok();
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
