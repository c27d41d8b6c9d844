//! Writes the function that replaces the user's. Nothing here checks or fails.
//! After an error (`sound` is false) the function is written without the parts
//! that are wrong, so that rustc does not report follow-on errors.

mod span;

mod attributes;
mod owned;
mod param;

mod chain;
mod inner;
mod signature;

mod entry;
mod worker;

use proc_macro2::TokenStream;

use crate::attr::options::Options;
use crate::attr::table::Attribute;
use crate::item::Function;

/// Expands a function under any of the attributes.
pub(crate) fn expand(attribute: Attribute, function: &Function, options: &Options, sound: bool) -> TokenStream {
    match attribute {
        // This has been reported. Only an entry point may be called `main`.
        Attribute::Worker if function.is_main() => entry::main(function, options, false),
        Attribute::Worker => worker::worker(function, options, sound),
        Attribute::Main => entry::main(function, options, sound),
        Attribute::Test => entry::test(function, options, sound),
    }
}
