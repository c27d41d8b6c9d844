//! Checks the function under an attribute, and its options against each other.
//! Each check is a line of the attribute's documented restrictions.

mod conflict;
pub(crate) mod own_type;
pub(crate) mod stacked;
pub(crate) mod types;

use quote::ToTokens;
use syn::{Error, Safety, Type};

use crate::attr::options::Options;
use crate::attr::table::Attribute;
use crate::errors::Errors;
use crate::item::{Body, Function};

/// Checks the function and its options, and reports every error.
pub(crate) fn check(attribute: Attribute, function: &Function, options: &Options, errors: &mut Errors) {
    conflict::check(options, errors);
    stacked::check(attribute, function, errors);
    qualifiers(attribute, function, errors);
    receiver(attribute, function, errors);
    body(attribute, function, errors);
    match attribute {
        Attribute::Main => main(function, errors),
        Attribute::Worker => worker(function, options, errors),
        Attribute::Test => test(function, errors),
    }
}

fn main(function: &Function, errors: &mut Errors) {
    asynchronous(Attribute::Main, function, errors);
    exit_code(function, errors);
    if function.is_main() {
        no_generics("`main` cannot be generic", function, errors);
        let message = "`main` takes no arguments: move its body to an `async fn run(..)`, put \
                       `#[graceful::main]` on that one, and call it from a plain `fn main`";
        no_arguments(message, function, errors);
    }
}

fn test(function: &Function, errors: &mut Errors) {
    asynchronous(Attribute::Test, function, errors);
    if stacked::makes_tests(function) {
        // The attribute that gives the test its arguments is reported.
        return;
    }
    no_generics("a test cannot be generic", function, errors);
    let message = "a test takes no arguments: make its values in its body, or put the attribute that gives them, such \
                   as `#[rstest]`, above `#[graceful::test]`";
    no_arguments(message, function, errors);
}

fn worker(function: &Function, options: &Options, errors: &mut Errors) {
    blocking(function, options, errors);
    if function.is_main() {
        let message = "`main` is not a worker: use `#[graceful::main]`";
        errors.at(&function.sig.ident, message);
    }
    own_type::check(function, errors);
    arguments(function, errors);
    outcome(function, errors);
}

/// The qualifiers before `fn`, and the dots of a variadic function.
fn qualifiers(attribute: Attribute, function: &Function, errors: &mut Errors) {
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
    } else if let Some(future) = future(function) {
        errors.at(future, returns_a_future(attribute));
    } else {
        let message = format!("`{}` needs an `async fn`", attribute.written());
        errors.push(Error::new(function.sig.fn_token.span, message));
    }
}

fn blocking(function: &Function, options: &Options, errors: &mut Errors) {
    match (&function.sig.asyncness, options.key("blocking")) {
        (Some(_), Some(key)) => {
            let message = "`blocking` is for a plain `fn`: remove it, or remove `async`";
            errors.push(Error::new(key.span(), message));
        }
        (None, _) if future(function).is_some() => {
            errors.at(function.result(), returns_a_future(Attribute::Worker));
        }
        (None, None) => {
            let message = "a worker is an `async fn`; write `#[graceful::worker(blocking)]` for a \
                           plain one, which gets a thread of its own";
            errors.push(Error::new(function.sig.fn_token.span, message));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
}

/// The result, if it is the future that an `async fn` would have.
fn future(function: &Function) -> Option<&Type> {
    function.result().filter(|result| types::is_future(result))
}

fn returns_a_future(attribute: Attribute) -> String {
    let own = attribute.written();
    format!(
        "this function returns a future instead of being one: write `async fn`; if an attribute above, such as \
         `#[async_recursion]`, has made it so, put `{own}` above that"
    )
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

fn no_generics(message: &str, function: &Function, errors: &mut Errors) {
    let generics = &function.sig.generics;
    if !generics.params.is_empty() {
        let message = format!("{message}: no caller chooses its types; remove the parameters");
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
    let Some(result) = function.result() else {
        return;
    };
    if function.sig.asyncness.is_none() && types::is_future(result) {
        // This has been reported.
    } else if types::never_an_outcome(result) {
        let message =
            format!("a worker returns `()` or `Result<T, E>` with `E: Debug`, not `{}`", types::written(result));
        errors.at(result, message);
    } else if let Some(error) = types::error_of_this_thread(result) {
        let message = "a worker's result goes to another thread: write `Box<dyn Error + Send + Sync>`";
        errors.at(error, message);
    }
}

fn exit_code(function: &Function, errors: &mut Errors) {
    if let Some(result) = function.result().filter(|result| types::never_an_exit_code(result)) {
        let message = format!(
            "{} returns `()`, `Result<(), E>` with `E: Debug`, `ExitCode` or `Result<ExitCode, E>`, not `{}`",
            noun(Attribute::Main, function),
            types::written(result)
        );
        errors.at(result, message);
    }
}

fn body(attribute: Attribute, function: &Function, errors: &mut Errors) {
    if let Body::Missing(semi) = &function.body {
        let it = noun(attribute, function);
        errors.at(semi, format!("{it} needs a body: write `{{ .. }}` instead of `;`"));
    }
}

/// The function's role, for messages.
fn noun(attribute: Attribute, function: &Function) -> &'static str {
    match attribute {
        Attribute::Main if function.is_main() => "`main`",
        Attribute::Main => "an entry point",
        Attribute::Worker => "a worker",
        Attribute::Test => "a test",
    }
}
