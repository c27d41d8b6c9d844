//! x

mod pipeline;

mod attr;
mod expand;
mod item;
mod valid;

mod duration;
mod errors;

use proc_macro::TokenStream;

/// x
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::main(attribute.into(), item.into()).into()
}

/// x
#[proc_macro_attribute]
pub fn worker(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::worker(attribute.into(), item.into()).into()
}

/// x
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::test(attribute.into(), item.into()).into()
}
