//! Everything that is checked about the function under an attribute. Each arm
//! here is a line of the attribute's documented restrictions.

mod conflict;
pub(crate) mod stacked;
pub(crate) mod types;

use quote::ToTokens;
use syn::{Error, Safety};

use crate::attr::grammar::Attribute;
use crate::attr::options::{Maybe, RuntimeOptions, WorkerOptions};
use crate::errors::Errors;
use crate::item::{Body, Function};

/// Checks the function under `#[graceful::main]`.
pub(crate) fn main(function: &Function, options: &RuntimeOptions, errors: &mut Errors) {
    let attribute = Attribute::Main;
    conflict::runtime(attribute, options, errors);
    stacked::check(attribute, function, errors);
    head(attribute, function, errors);
    asynchronous(attribute, function, errors);
    receiver(attribute, function, errors);
    if function.is_main() {
        no_generics("`main` cannot be generic", function, errors);
        let instead = "`main` takes no arguments: move its body to an `async fn run(..)`, put \
                       `#[graceful::main]` on that one, and call it from a plain `fn main`";
        no_arguments(instead, function, errors);
    }
    body(attribute, function, errors);
}

/// Checks the function under `#[graceful::test]`.
pub(crate) fn test(function: &Function, options: &RuntimeOptions, errors: &mut Errors) {
    let attribute = Attribute::Test;
    conflict::runtime(attribute, options, errors);
    stacked::check(attribute, function, errors);
    head(attribute, function, errors);
    asynchronous(attribute, function, errors);
    receiver(attribute, function, errors);
    no_generics("a test cannot be generic", function, errors);
    no_arguments("a test takes no arguments: make its values in its body", function, errors);
    body(attribute, function, errors);
}

/// Checks the function under `#[graceful::worker]`.
pub(crate) fn worker(function: &Function, options: &WorkerOptions, errors: &mut Errors) {
    let attribute = Attribute::Worker;
    conflict::worker(options, errors);
    stacked::check(attribute, function, errors);
    head(attribute, function, errors);
    blocking(function, &options.blocking, errors);
    if function.is_main() {
        let message = "`main` is not a worker: use `#[graceful::main]`";
        errors.at(&function.sig.ident, message);
    }
    receiver(attribute, function, errors);
    own_type(function, errors);
    arguments(function, errors);
    outcome(function, errors);
    body(attribute, function, errors);
}

/// What stands before `fn`, and the dots of C.
fn head(attribute: Attribute, function: &Function, errors: &mut Errors) {
    let it = noun(attribute, function);
    let sig = &function.sig;
    if let Some(constness) = &sig.constness {
        errors.at(constness, format!("{it} cannot be `const`: remove it"));
    }
    if let Safety::Unsafe(safety) = &sig.safety {
        let message = format!("{it} cannot be `unsafe`: use an `unsafe` block in its body");
        errors.at(safety, message);
    }
    if let Some(abi) = &sig.abi {
        errors.at(abi, format!("{it} cannot be `extern`: remove it"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic.dots.to_token_stream(), format!("{it} cannot be variadic: take a `Vec`"));
    }
}

fn asynchronous(attribute: Attribute, function: &Function, errors: &mut Errors) {
    if function.sig.asyncness.is_some() {
        return;
    }
    if let Some(message) = stacked::expanded(function) {
        errors.at(&function.sig.ident, message);
    } else {
        let message = format!("`{}` needs an `async fn`", attribute.written());
        errors.push(Error::new(function.sig.fn_token.span, message));
    }
}

fn blocking(function: &Function, blocking: &Maybe<()>, errors: &mut Errors) {
    match (&function.sig.asyncness, blocking.key()) {
        (Some(_), Some(key)) => {
            let message = "`blocking` is for a plain `fn`: remove it, or remove `async`";
            errors.push(Error::new(key.span(), message));
        }
        (None, None) => {
            let message = "a worker is an `async fn`; write `#[graceful::worker(blocking)]` for a \
                           plain one, which gets a thread of its own";
            errors.push(Error::new(function.sig.fn_token.span, message));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
}

fn receiver(attribute: Attribute, function: &Function, errors: &mut Errors) {
    if let Some(receiver) = function.receiver() {
        let it = noun(attribute, function);
        let instead = match attribute {
            Attribute::Worker => "take the value as an ordinary argument, such as an `Arc`",
            Attribute::Main | Attribute::Test => "remove it",
        };
        errors.at(receiver, format!("{it} is a free function, without `self`: {instead}"));
    }
}

fn own_type(function: &Function, errors: &mut Errors) {
    if function.receiver().is_some() {
        return;
    }
    let types = function.typed().map(|argument| &*argument.ty).chain(function.result());
    for ty in types.filter(|ty| types::mentions(ty, "Self")) {
        let message = "a worker is a free function: write the type's name instead of `Self`";
        errors.at(ty, message);
    }
}

fn no_generics(message: &str, function: &Function, errors: &mut Errors) {
    let generics = &function.sig.generics;
    if !generics.params.is_empty() {
        let message = format!("{message}: nobody chooses its types; remove the parameters");
        errors.at(generics, message);
    } else if let Some(clause) = &generics.where_clause {
        errors.at(clause, format!("{message}: remove the `where` clause"));
    }
}

fn no_arguments(message: &str, function: &Function, errors: &mut Errors) {
    let typed: Vec<_> = function.typed().collect();
    if !typed.is_empty() {
        errors.at(&function.sig.inputs, message);
    }
}

fn arguments(function: &Function, errors: &mut Errors) {
    for argument in function.typed() {
        if let Some(borrowed) = types::borrowed(&argument.ty) {
            let message = "a worker outlives its caller: take an owned value or an `Arc`";
            errors.at(borrowed, message);
        }
    }
}

fn outcome(function: &Function, errors: &mut Errors) {
    if let Some(result) = function.result().filter(|result| types::never_an_outcome(result)) {
        let message =
            format!("a worker returns `()` or `Result<T, E>` with `E: Debug`, not `{}`", types::written(result),);
        errors.at(result, message);
    }
}

fn body(attribute: Attribute, function: &Function, errors: &mut Errors) {
    if let Body::Missing(semi) = &function.body {
        let it = noun(attribute, function);
        errors.at(semi, format!("{it} needs a body: write `{{ .. }}` instead of `;`"));
    }
}

/// What the function is called in messages.
fn noun(attribute: Attribute, function: &Function) -> &'static str {
    match attribute {
        Attribute::Main if function.is_main() => "`main`",
        Attribute::Main => "an entry point",
        Attribute::Worker => "a worker",
        Attribute::Test => "a test",
    }
}
