//! Writes the functions that replace the user's. Nothing is checked here and
//! nothing can fail. Where something was wrong (it is not `sound`), the same
//! function is written without it, so that rustc finds nothing more to say.

mod chain;
mod inner;
mod owned;
mod param;
mod place;
mod placement;
mod worker;

pub(crate) use worker::worker;

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use self::chain::krate;
use self::param::Param;
use self::place::at;

use crate::attr::grammar::Attribute;
use crate::attr::options::RuntimeOptions;
use crate::item::Function;

/// Input:
///
/// ```text
/// async fn main() -> R { body }
/// ```
///
/// Output:
///
/// ```text
/// fn main() -> ::std::process::ExitCode {
///     async fn main() -> R { body }
///     ::graceful::__private::main(::graceful::Builder::new(), main())
/// }
/// ```
///
/// A function of another name keeps its arguments and calls `__private::run`.
pub(crate) fn main(function: &Function, options: &RuntimeOptions, sound: bool) -> TokenStream {
    let (vis, fn_token, name) = (&function.vis, &function.sig.fn_token, &function.sig.ident);
    let here = at(name.span());
    let attrs = placement::outer(function);
    let inner = inner::function(function, sound, false);
    let params = param::all(function);
    let code = quote_spanned!(here=> ::std::process::ExitCode);
    let signature = if function.is_main() && function.receiver().is_none() {
        quote_spanned!(here=> () -> #code)
    } else {
        signature(function, &params, code, sound)
    };
    let body = if sound {
        let graceful = krate(&options.krate, name.span());
        let builder = chain::builder(Attribute::Main, &graceful, options, name.span());
        let start = Ident::new(if function.is_main() { "main" } else { "run" }, here);
        let future = call(function, &params);
        quote_spanned!(here=> #graceful::__private::#start(#builder, #future))
    } else {
        quote_spanned!(here=> loop {})
    };
    let body = place::braced(quote!(#inner #body), function);
    quote!(#(#attrs)* #vis #fn_token #name #signature #body)
}

/// Input:
///
/// ```text
/// #[should_panic]
/// async fn name() -> R { body }
/// ```
///
/// Output:
///
/// ```text
/// #[::core::prelude::v1::test]
/// #[should_panic]
/// fn name() -> R {
///     async fn name() -> R { body }
///     ::graceful::__private::test(::graceful::Builder::new().current_thread(), name())
/// }
/// ```
pub(crate) fn test(function: &Function, options: &RuntimeOptions, sound: bool) -> TokenStream {
    let (vis, fn_token, name) = (&function.vis, &function.sig.fn_token, &function.sig.ident);
    let here = at(name.span());
    let attrs = placement::outer(function);
    let inner = inner::function(function, sound, false);
    let receiver = function.receiver();
    let (output, body) = if sound {
        let graceful = krate(&options.krate, name.span());
        let builder = chain::builder(Attribute::Test, &graceful, options, name.span());
        let future = call(function, &[]);
        let body = quote_spanned!(here=> #graceful::__private::test(#builder, #future));
        (Some(&function.sig.output), body)
    } else {
        (None, TokenStream::new())
    };
    let test = receiver.is_none().then(|| quote_spanned!(here=> #[::core::prelude::v1::test]));
    let body = place::braced(quote!(#inner #body), function);
    quote!(#test #(#attrs)* #vis #fn_token #name(#receiver) #output #body)
}

/// `<T>(&self, queue: Queue) -> Output where ..` of an outer function.
pub(crate) fn signature(function: &Function, params: &[Param<'_>], output: TokenStream, sound: bool) -> TokenStream {
    let generics = &function.sig.generics;
    let clause = &generics.where_clause;
    let receiver = function.receiver().into_iter();
    let params = params.iter().map(|param| param.declared(sound));
    let output = place::ending(output, function);
    let mut inputs = TokenStream::new();
    function.sig.paren_token.surround(&mut inputs, |inside| {
        inside.extend(quote!(#(#receiver,)* #(#params),*));
    });
    let arrow = quote_spanned!(at(function.sig.ident.span())=> ->);
    quote!(#generics #inputs #arrow #output #clause)
}

/// `run::<T>(args)`: the inner function's future, placed at the return type,
/// where what is wrong with the result belongs.
fn call(function: &Function, params: &[Param<'_>]) -> TokenStream {
    let (first, last) = place::of_result(function);
    let mut name = function.sig.ident.clone();
    name.set_span(first);
    let turbofish = inner::turbofish(function);
    let arguments = params.iter().map(Param::moved);
    let arguments = quote_spanned!(last=> (#(#arguments),*));
    quote!(#name #turbofish #arguments)
}
