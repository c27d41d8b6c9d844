//! A result type for a worker whose own one cannot be used.

use proc_macro2::{Group, Punct, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Type;

/// The nearest type that borrows nothing and that a value can have: `&str`
/// becomes `&'static str`, and what has no such type becomes `()`.
pub(crate) fn owned(ty: &Type) -> TokenStream {
    match ty {
        Type::Group(group) => owned(&group.elem),
        Type::Paren(paren) => owned(&paren.elem),
        Type::ImplTrait(_)
        | Type::Infer(_)
        | Type::Never(_)
        | Type::Ptr(_)
        | Type::Slice(_)
        | Type::TraitObject(_)
        | Type::Verbatim(_) => quote!(()),
        Type::Path(path) if path.path.is_ident("str") => quote!(()),
        _ => lasting(ty.to_token_stream()).unwrap_or_else(|| quote!(())),
    }
}

/// Makes every lifetime `'static`, where that is all it takes.
fn lasting(tokens: TokenStream) -> Option<TokenStream> {
    let mut output = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "impl" || word == "for" => return None,
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                output.extend([TokenTree::Punct(Punct::new('&', Spacing::Alone))]);
                let named =
                    matches!(tokens.peek(), Some(TokenTree::Punct(it)) if it.as_char() == '\'');
                if !named {
                    output.extend(quote!('static));
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                tokens.next();
                output.extend(quote!('static));
            }
            TokenTree::Group(group) => {
                let inside = lasting(group.stream())?;
                let group = Group::new(group.delimiter(), inside);
                output.extend([TokenTree::Group(group)]);
            }
            other => output.extend([other]),
        }
    }
    Some(output)
}
