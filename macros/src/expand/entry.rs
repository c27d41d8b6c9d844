//! Writes the function that replaces a `main` or a test.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{quote, quote_spanned};

use crate::attr::options::Options;
use crate::attr::table::Attribute;
use crate::expand::chain::{self, krate};
use crate::expand::param::{self, Param};
use crate::expand::signature::signature;
use crate::expand::span::{self, at};
use crate::expand::{attributes, inner};
use crate::item::Function;
use crate::valid::stacked;

/// Input:
///
/// ```text
/// async fn main() -> R { body }
/// ```
///
/// Output:
///
/// ```text
/// #[must_use = ".."]
/// fn main() -> ::std::process::ExitCode {
///     async fn main() -> R { body }
///     ::graceful::__private::main(<::graceful::Builder>::new(), main())
/// }
/// ```
///
/// A function of another name keeps its arguments and calls `__private::run`. Of any name, it has callers whose
/// process would end with 0 if they dropped the exit code: `main` too, if it is not at the root of the program.
pub(crate) fn main(function: &Function, options: &Options, sound: bool) -> TokenStream {
    let (vis, fn_token, name) = (&function.vis, &function.sig.fn_token, &function.sig.ident);
    let here = at(name.span());
    let attrs: Vec<_> =
        attributes::outer(Attribute::Main, function).filter(|it| !attributes::is_bare_must_use(it)).collect();
    let must_use = (!attrs.iter().any(|it| attributes::is_must_use(it)))
        .then(|| quote_spanned!(here=> #[must_use = "it is the exit code of the process: return it from `main`"]));
    let inner = inner::function(Attribute::Main, function, sound, false);
    let params = param::all(function);
    let code = quote_spanned!(here=> ::std::process::ExitCode);
    let signature = if function.is_main() && function.receiver().is_none() {
        quote_spanned!(here=> () -> #code)
    } else {
        signature(function, &params, code, sound)
    };
    let body = if sound {
        let graceful = krate(options, name.span());
        let builder = chain::builder(&graceful, options, name.span());
        let start = Ident::new(if function.is_main() { "main" } else { "run" }, here);
        let future = call(function, &params);
        quote_spanned!(here=> return #graceful::__private::#start(#builder, #future))
    } else {
        quote_spanned!(here=> loop {})
    };
    let body = span::braced(quote!(#inner #body), function);
    quote!(#must_use #(#attrs)* #vis #fn_token #name #signature #body)
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
/// #[should_panic]
/// #[::core::prelude::v1::test]
/// fn name() -> R {
///     async fn name() -> R { body }
///     ::graceful::__private::test(
///         <::graceful::Builder>::new().current_thread().test_named(concat!(module_path!(), "::name")),
///         name(),
///     )
/// }
/// ```
///
/// `#[test]` comes last, where the other attributes see it: some add one if there is none.
pub(crate) fn test(function: &Function, options: &Options, sound: bool) -> TokenStream {
    let (vis, fn_token, name) = (&function.vis, &function.sig.fn_token, &function.sig.ident);
    let here = at(name.span());
    let attrs: Vec<_> = attributes::outer(Attribute::Test, function).collect();
    let inner = inner::function(Attribute::Test, function, sound, false);
    let receiver = function.receiver();
    let (output, body) = if sound {
        let graceful = krate(options, name.span());
        let builder = chain::builder(&graceful, options, name.span());
        let future = call(function, &[]);
        let title = Literal::string(&format!("::{}", function.name()));
        let named = quote_spanned!(here=> .test_named(::core::concat!(::core::module_path!(), #title)));
        let body = quote_spanned!(here=> return #graceful::__private::test(#builder #named, #future));
        (Some(&function.sig.output), body)
    } else {
        (None, TokenStream::new())
    };
    let is_free = receiver.is_none() && !attrs.iter().any(|it| stacked::is_generated_test(it));
    let test = is_free.then(|| quote_spanned!(here=> #[::core::prelude::v1::test]));
    let body = span::braced(quote!(#inner #body), function);
    quote!(#(#attrs)* #test #vis #fn_token #name(#receiver) #output #body)
}

/// `run::<T>(args)`, which makes the inner function's future. Its spans are
/// those of the return type, where rustc then reports a wrong type.
fn call(function: &Function, params: &[Param<'_>]) -> TokenStream {
    let (first, last) = span::of_result(function);
    let mut name = function.sig.ident.clone();
    name.set_span(first);
    let turbofish = inner::turbofish(function);
    let arguments = params.iter().map(Param::moved);
    let arguments = quote_spanned!(last=> (#(#arguments),*));
    quote!(#name #turbofish #arguments)
}
