//! Writes the function that replaces a worker.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Safety;

use crate::attr::options::Options;
use crate::attr::table::Attribute;
use crate::attr::value::Value;
use crate::expand::chain::{self, krate};
use crate::expand::owned::owned;
use crate::expand::param::{self, Param};
use crate::expand::signature::signature;
use crate::expand::span::{self, at};
use crate::expand::{attributes, inner};
use crate::item::Function;
use crate::valid::own_type;

/// Input:
///
/// ```text
/// async fn consume(mut queue: Queue) -> R { body }
/// ```
///
/// Output:
///
/// ```text
/// fn consume(queue: Queue) -> ::graceful::Worker<impl ::graceful::__private::Body<Output = R>> {
///     struct __GracefulBody;
///     impl __GracefulBody {
///         async fn consume(mut queue: Queue) -> R { body }
///     }
///     static __GRACEFUL_FUNCTION: ::graceful::__private::Function = ..;
///     let __body = __GracefulBody::consume(queue);
///     let __remember = ..;
///     ::graceful::__private::once(
///         &__GRACEFUL_FUNCTION,
///         __body,
///         move |__result: &_| ::graceful::__private::judge(&*__result, &__remember),
///     )
/// }
/// ```
///
/// The inner function is an associated function: it keeps its name, which
/// `#[tracing::instrument]` reads, and does not shadow the outer function in a
/// body that calls it.
pub(crate) fn worker(function: &Function, options: &Options, sound: bool) -> TokenStream {
    let (vis, fn_token, name) = (&function.vis, &function.sig.fn_token, &function.sig.ident);
    let here = at(name.span());
    let graceful = krate(options, name.span());
    let attrs = attributes::outer(Attribute::Worker, function).filter(|it| !attributes::is_bare_must_use(it));
    let safety = matches!(function.sig.safety, Safety::Unsafe(_)).then_some(&function.sig.safety);
    let params = param::all(function);
    let result = result(function, sound);
    // The space keeps `>>` two tokens: only the last one gets the user's span.
    let output = quote_spanned! {here=>
        #graceful::Worker<impl #graceful::__private::Body<Output = #result> >
    };
    let signature = signature(function, &params, output, sound);
    let inner = inner::function(Attribute::Worker, function, sound, options.key("blocking").is_some());
    let described = described(function, &graceful, sound.then_some(options));
    let built = if sound { built(function, options, &graceful, &params) } else { unbuilt(&graceful, here) };
    let inner = (!inner.is_empty() && !own_type::is_used(function)).then(|| {
        // With the `impl` at the name, rustc's hint to add a type parameter is
        // the same for both functions, and is printed once.
        let block = Ident::new("impl", name.span());
        quote_spanned! {here=>
            struct __GracefulBody;
            #block __GracefulBody {
                #inner
            }
        }
    });
    let body = span::braced(quote!(#inner #described #built), function);
    quote!(#(#attrs)* #vis #safety #fn_token #name #signature #body)
}

/// The type of the body's result. After an error it is a type that causes no
/// further errors in callers.
fn result(function: &Function, sound: bool) -> TokenStream {
    match function.result() {
        None => quote!(()),
        Some(result) if sound => result.to_token_stream(),
        Some(result) => owned(result),
    }
}

/// The static with the function's name, its location and, unless there was an
/// error, its options.
fn described(function: &Function, graceful: &TokenStream, options: Option<&Options>) -> TokenStream {
    let here = at(function.sig.ident.span());
    let name = match options.and_then(|options| options.value("name")) {
        Some(Value::Expr(name)) => name.to_token_stream(),
        _ => Literal::string(&function.name()).into_token_stream(),
    };
    let (file, line) = position(function.sig.ident.span());
    let policy = options.map(chain::calls);
    let private = quote_spanned!(here=> #graceful::__private);
    let of = chain::of(&private, "Function", here);
    quote_spanned! {here=>
        static __GRACEFUL_FUNCTION: #private::Function =
            #of new(#name, ::core::module_path!(), #file, #line) #policy;
    }
}

/// The file and the line of the function's name. `line!()` would expand to the
/// line of the attribute.
fn position(name: Span) -> (TokenStream, TokenStream) {
    if !proc_macro::is_available() {
        return (quote!(::core::file!()), quote!(::core::line!()));
    }
    let name = name.unwrap();
    let line = Literal::usize_unsuffixed(name.line());
    (Literal::string(&name.file()).into_token_stream(), line.into_token_stream())
}

/// The call that makes the `Worker`, from the body's future, or from a closure
/// that makes one for each run.
fn built(function: &Function, options: &Options, graceful: &TokenStream, params: &[Param<'_>]) -> TokenStream {
    let name = &function.sig.ident;
    let here = at(name.span());
    let turbofish = inner::turbofish(function);
    let again = options.restarts() || options.key("every").is_some();
    let arguments: Vec<TokenStream> = if again {
        params.iter().map(|param| param.copied(&copy(function, options, graceful, param))).collect()
    } else {
        params.iter().map(Param::moved).collect()
    };
    let call = quote_spanned!(here=> __GracefulBody::#name #turbofish(#(#arguments),*));
    let blocks = options.key("blocking").is_some();
    let (how, body) = match (blocks, again) {
        (false, false) => ("once", call),
        (false, true) => ("again", quote_spanned!(here=> move || #call)),
        (true, false) => ("blocking", quote_spanned!(here=> move || #call)),
        (true, true) => ("blocking_again", quote_spanned!(here=> move || #call)),
    };
    let remember = remember(how, graceful, here);
    let how = Ident::new(how, here);
    let judge = judge(function, options);
    // A lint of clippy's asks for `return`, and would say so of this function.
    quote_spanned! {here=>
        let __body = #body;
        #remember
        return #graceful::__private::#how(&__GRACEFUL_FUNCTION, __body, #judge)
    }
}

/// Remembers how the source of the worker's errors is found, which depends on what their type implements. That is asked of
/// the body: in its own place an unknown type would be reported twice.
fn remember(how: &str, graceful: &TokenStream, here: Span) -> TokenStream {
    let private = quote_spanned!(here=> #graceful::__private);
    let how = Ident::new(how, here);
    quote_spanned! {here=>
        let __errors = <#private::ErrorOf<_> >::#how(&__body);
        let __remember = move || {
            #[allow(unused_imports)]
            use #private::{HasError as _, IsError as _, NoError as _};
            (&&&__errors).remember()
        };
    }
}

/// The function that copies an argument for the next run. Its name, which rustc prints if the type is not `Clone`,
/// shows which option needs the copy. The `clone_` ones are for type parameters, where rustc's own message is the best.
fn copy(function: &Function, options: &Options, graceful: &TokenStream, param: &Param<'_>) -> TokenStream {
    let copy = match (options.restarts(), param.is_generic(function)) {
        (true, false) => "copy_for_restart",
        (true, true) => "clone_for_restart",
        (false, false) => "copy_for_every",
        (false, true) => "clone_for_every",
    };
    let here = at(function.sig.ident.span());
    let copy = Ident::new(copy, here);
    quote_spanned!(here=> #graceful::__private::#copy)
}

/// `move |__result: &_| judge(&*__result, &__remember)`, with the argument at the return type:
/// only here does rustc check the bound on a worker's result. The closure does
/// not repeat the type, in which an error would be reported twice; and it is
/// not `judge` itself, whose bound rustc would check twice.
fn judge(function: &Function, options: &Options) -> TokenStream {
    let (first, last) = span::of_result(function);
    let graceful = krate(options, first);
    let result = Ident::new("__result", last);
    let remember = Ident::new("__remember", at(function.sig.ident.span()));
    quote_spanned!(first=> move |#result: &_| #graceful::__private::judge(&*#result, &#remember))
}

/// A worker of the right type, which never runs, after an error.
fn unbuilt(graceful: &TokenStream, here: Span) -> TokenStream {
    quote_spanned! {here=>
        return #graceful::__private::once(
            &__GRACEFUL_FUNCTION,
            ::core::future::pending(),
            |_: &_| ::core::option::Option::None,
        )
    }
}
