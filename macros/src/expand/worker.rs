//! Writes the function that replaces a worker.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Safety;

use crate::attr::options::{RuntimeOptions, WorkerOptions};
use crate::expand;
use crate::expand::chain::{self, krate};
use crate::expand::inner;
use crate::expand::owned::owned;
use crate::expand::param::{self, Param};
use crate::expand::place::{self, at};
use crate::expand::placement;
use crate::expand::signature;
use crate::item::Function;

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
///     ::graceful::__private::once(
///         &__GRACEFUL_FUNCTION,
///         __GracefulBody::consume(queue),
///         |__result: &_| ::graceful::__private::judge(&*__result),
///     )
/// }
/// ```
///
/// The inner function belongs to a type so that it keeps its name, for
/// `#[tracing::instrument]`, without hiding the outer one from a body that
/// calls itself.
pub(crate) fn worker(function: &Function, options: &WorkerOptions, sound: bool) -> TokenStream {
    if function.is_main() {
        // Reported. What is called `main` can only be one.
        return expand::main(function, &RuntimeOptions::default(), false);
    }
    let (vis, fn_token, name) = (&function.vis, &function.sig.fn_token, &function.sig.ident);
    let here = at(name.span());
    let graceful = krate(&options.krate, name.span());
    let attrs = placement::outer(function).filter(|it| !placement::is_bare_must_use(it));
    let safety = matches!(function.sig.safety, Safety::Unsafe(_)).then_some(&function.sig.safety);
    let params = param::all(function);
    let result = result(function, sound);
    // The brackets stand apart: as one token they would be nobody's.
    let output = quote_spanned! {here=>
        #graceful::Worker<impl #graceful::__private::Body<Output = #result> >
    };
    let signature = signature(function, &params, output, sound);
    let inner = inner::function(function, sound, options.blocking.key().is_some());
    let (described, built) = if sound {
        let described = described(function, &graceful, options);
        (described, built(function, options, &graceful, &params))
    } else {
        let described = described(function, &graceful, &WorkerOptions::default());
        (described, unbuilt(&graceful, here))
    };
    let inner = (!inner.is_empty()).then(|| {
        // With the `impl` at the name, rustc's hint to add a type parameter is
        // the same for both functions, and is given once.
        let block = Ident::new("impl", name.span());
        quote_spanned! {here=>
            struct __GracefulBody;
            #block __GracefulBody {
                #inner
            }
        }
    });
    let body = place::braced(quote!(#inner #described #built), function);
    quote!(#(#attrs)* #vis #safety #fn_token #name #signature #body)
}

/// The type of the body's result. In a function that is not sound it is one
/// that a caller can use without hearing of the mistake again.
fn result(function: &Function, sound: bool) -> TokenStream {
    match function.result() {
        None => quote!(()),
        Some(result) if sound => result.to_token_stream(),
        Some(result) => owned(result),
    }
}

/// The static that says what the function is called, where it is and how it is
/// to be run.
fn described(function: &Function, graceful: &TokenStream, options: &WorkerOptions) -> TokenStream {
    let here = at(function.sig.ident.span());
    let name = match options.name.value() {
        Some(name) => name.to_token_stream(),
        None => Literal::string(&function.name()).into_token_stream(),
    };
    let (file, line) = position(function.sig.ident.span());
    let policy = chain::policy(graceful, options);
    quote_spanned! {here=>
        static __GRACEFUL_FUNCTION: #graceful::__private::Function =
            #graceful::__private::Function::new(#name, ::core::module_path!(), #file, #line)
                #policy;
    }
}

/// The file and the line of the function's name. `line!()` would be the line
/// of the attribute.
fn position(name: Span) -> (TokenStream, TokenStream) {
    if !proc_macro::is_available() {
        return (quote!(::core::file!()), quote!(::core::line!()));
    }
    let name = name.unwrap();
    let line = Literal::usize_unsuffixed(name.line());
    (Literal::string(&name.file()).into_token_stream(), line.into_token_stream())
}

/// The body's future, or what makes one for each run, with the judge of its
/// result.
fn built(function: &Function, options: &WorkerOptions, graceful: &TokenStream, params: &[Param<'_>]) -> TokenStream {
    let name = &function.sig.ident;
    let here = at(name.span());
    let turbofish = inner::turbofish(function);
    let again = options.restarts() || options.every.key().is_some();
    let arguments: Vec<TokenStream> = if again {
        params.iter().map(|param| param.copied(&copy(function, options, graceful, param))).collect()
    } else {
        params.iter().map(Param::moved).collect()
    };
    let call = quote_spanned!(here=> __GracefulBody::#name #turbofish(#(#arguments),*));
    let (how, body) = match (options.blocking.key().is_some(), again) {
        (false, false) => ("once", call),
        (false, true) => ("again", quote_spanned!(here=> move || #call)),
        (true, false) => ("blocking", quote_spanned!(here=> move || #call)),
        (true, true) => ("blocking_again", quote_spanned!(here=> move || #call)),
    };
    let how = Ident::new(how, here);
    let judge = judge(function, options);
    quote_spanned!(here=> #graceful::__private::#how(&__GRACEFUL_FUNCTION, #body, #judge))
}

/// What copies an argument for the next run; its name and its bound tell which
/// option asks for the copy. Of a type parameter rustc says best itself that
/// it lacks `Clone`.
fn copy(function: &Function, options: &WorkerOptions, graceful: &TokenStream, param: &Param<'_>) -> TokenStream {
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

/// `|__result: &_| judge(&*__result)`, with an argument that reaches from the
/// first token of the return type to its last: here, and only here, rustc
/// learns what a worker may return. The type is not written out once more,
/// which would double an error in it, and `judge` itself would be asked twice.
fn judge(function: &Function, options: &WorkerOptions) -> TokenStream {
    let (first, last) = place::of_result(function);
    let graceful = krate(&options.krate, first);
    let result = Ident::new("__result", last);
    quote_spanned!(first=> |#result: &_| #graceful::__private::judge(&*#result))
}

/// A worker of the right type for a function that is not sound. It never runs.
fn unbuilt(graceful: &TokenStream, here: Span) -> TokenStream {
    quote_spanned! {here=>
        #graceful::__private::once(
            &__GRACEFUL_FUNCTION,
            ::core::future::pending(),
            |_: &_| #graceful::__private::judge(&()),
        )
    }
}
