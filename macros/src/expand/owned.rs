//! A result type for a worker whose own result type is wrong.

use proc_macro2::{Group, Punct, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Type;

/// The nearest type that is `'static`, `Send` and `Sized`: `&str` becomes
/// `&'static str`, and a type that has no such counterpart becomes `()`.
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
        _ => with_static(ty.to_token_stream()).unwrap_or_else(|| quote!(())),
    }
}

/// Replaces every lifetime by `'static`, and makes every `dyn Trait` one that may go to another thread. `None` if that is
/// not enough.
fn with_static(tokens: TokenStream) -> Option<TokenStream> {
    let mut output = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "impl" || word == "for" => return None,
            TokenTree::Ident(word) if word == "dyn" => {
                let plus = Punct::new('+', Spacing::Alone);
                output.extend(quote!(#word ::core::marker::Send #plus ::core::marker::Sync #plus));
            }
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                output.extend([TokenTree::Punct(Punct::new('&', Spacing::Alone))]);
                let named = matches!(tokens.peek(), Some(TokenTree::Punct(it)) if it.as_char() == '\'');
                if !named {
                    output.extend(quote!('static));
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                tokens.next();
                output.extend(quote!('static));
            }
            TokenTree::Group(group) => {
                let inside = with_static(group.stream())?;
                let group = Group::new(group.delimiter(), inside);
                output.extend([TokenTree::Group(group)]);
            }
            other => output.extend([other]),
        }
    }
    Some(output)
}

#[cfg(test)]
mod tests {
    use proc_macro2::Delimiter;

    use super::*;

    /// Without spaces.
    fn text(ty: &str) -> String {
        let ty: Type = syn::parse_str(ty).expect("it is a type");
        owned(&ty).to_string().replace(' ', "")
    }

    #[test]
    fn what_borrows_lasts() {
        for (ty, lasting) in [
            ("u8", "u8"),
            ("(u8)", "u8"),
            ("Vec<(u8, &str)>", "Vec<(u8,&'staticstr)>"),
            ("&'a mut str", "&'staticmutstr"),
            ("Cow<'a, str>", "Cow<'static,str>"),
            ("[&u8; N]", "[&'staticu8;N]"),
            ("Box<dyn Error>", "Box<dyn::core::marker::Send+::core::marker::Sync+Error>"),
        ] {
            assert_eq!(text(ty), lasting, "{ty}");
        }
    }

    #[test]
    fn what_no_value_can_have_becomes_nothing() {
        for ty in [
            "str",
            "(str)",
            "[u8]",
            "([u8])",
            "!",
            "_",
            "*const u8",
            "dyn Any",
            "impl Any",
            "Vec<impl Any>",
            "for<'a> fn(&'a u8)",
            "Box<dyn for<'a> Fn(&'a u8)>",
        ] {
            assert_eq!(text(ty), "()", "{ty}");
        }
    }

    #[test]
    fn a_group_that_a_macro_made_is_not_there() {
        for (ty, expected) in [(quote!([u8]), "()"), (quote!(u8), "u8")] {
            let group = TokenTree::Group(Group::new(Delimiter::None, ty));
            let ty: Type = syn::parse2(group.into()).expect("it is a type");
            assert!(matches!(ty, Type::Group(_)));
            assert_eq!(owned(&ty).to_string(), expected);
        }
    }
}
