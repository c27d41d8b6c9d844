//! Checks of a type by its tokens alone.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{AngleBracketedGenericArguments, GenericArgument, Lifetime, Path, PathArguments, Token};
use syn::{Type, TypeParamBound, TypePath, TypeTraitObject};

/// The part of a type that borrows: a reference or a lifetime other than
/// `'static`. References in the signature of `fn(..)` and `Fn(..)` do not count.
pub(crate) fn borrowed(ty: &Type) -> Option<TokenStream> {
    match ty {
        Type::Reference(reference) => match &reference.lifetime {
            Some(lifetime) => named(lifetime).or_else(|| borrowed(&reference.elem)),
            None => Some(reference.to_token_stream()),
        },
        Type::Path(path) => {
            path.qself.as_ref().and_then(|qself| borrowed(&qself.ty)).or_else(|| borrowed_path(&path.path))
        }
        Type::Array(array) => borrowed(&array.elem),
        Type::Slice(slice) => borrowed(&slice.elem),
        Type::Group(group) => borrowed(&group.elem),
        Type::Paren(paren) => borrowed(&paren.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(borrowed),
        Type::TraitObject(object) => object.bounds.iter().find_map(borrowed_bound),
        Type::ImplTrait(object) => object.bounds.iter().find_map(borrowed_bound),
        _ => None,
    }
}

fn borrowed_path(path: &Path) -> Option<TokenStream> {
    path.segments.iter().find_map(|segment| match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => borrowed_arguments(arguments),
        PathArguments::None | PathArguments::Parenthesized(_) => None,
    })
}

fn borrowed_arguments(arguments: &AngleBracketedGenericArguments) -> Option<TokenStream> {
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Lifetime(lifetime) => named(lifetime),
        GenericArgument::Type(ty) => borrowed(ty),
        GenericArgument::AssocType(assoc) => borrowed(&assoc.ty),
        _ => None,
    })
}

fn borrowed_bound(bound: &TypeParamBound) -> Option<TokenStream> {
    match bound {
        TypeParamBound::Lifetime(lifetime) => named(lifetime),
        // `for<'a>` introduces lifetimes of its own, which borrow nothing.
        TypeParamBound::Trait(bound) if bound.lifetimes.is_none() => borrowed_path(&bound.path),
        _ => None,
    }
}

fn named(lifetime: &Lifetime) -> Option<TokenStream> {
    (lifetime.ident != "static").then(|| lifetime.to_token_stream())
}

/// The `dyn Error` in a type that does not say `Send`, and so cannot go to another thread.
pub(crate) fn error_of_this_thread(ty: &Type) -> Option<&TypeTraitObject> {
    match ty {
        Type::Group(group) => error_of_this_thread(&group.elem),
        Type::Paren(paren) => error_of_this_thread(&paren.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(error_of_this_thread),
        Type::Path(path) => path.path.segments.iter().find_map(|segment| match &segment.arguments {
            PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => error_of_this_thread(ty),
                _ => None,
            }),
            PathArguments::None | PathArguments::Parenthesized(_) => None,
        }),
        Type::TraitObject(object) => {
            let is = |bound: &TypeParamBound, name| match bound {
                TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|it| it.ident == name),
                _ => false,
            };
            let any = |name| object.bounds.iter().any(|bound| is(bound, name));
            (any("Error") && !any("Send")).then_some(object)
        }
        _ => None,
    }
}

/// Whether a type is a future, as that of an `async fn` that was written in another way.
pub(crate) fn is_future(ty: &Type) -> bool {
    let bounded = |bounds: &Punctuated<TypeParamBound, Token![+]>| {
        let is = |bound: &TypeParamBound| matches!(bound, TypeParamBound::Trait(bound) if is_called(&bound.path, &["Future"]));
        bounds.iter().any(is)
    };
    match ty {
        Type::Group(group) => is_future(&group.elem),
        Type::Paren(paren) => is_future(&paren.elem),
        Type::ImplTrait(object) => bounded(&object.bounds),
        Type::TraitObject(object) => bounded(&object.bounds),
        Type::Path(path) if is_called(&path.path, &["Box", "Pin"]) => {
            let Some(PathArguments::AngleBracketed(arguments)) = path.path.segments.last().map(|last| &last.arguments)
            else {
                return false;
            };
            arguments.args.iter().any(|argument| matches!(argument, GenericArgument::Type(ty) if is_future(ty)))
        }
        Type::Path(path) => is_called(&path.path, &["BoxFuture", "LocalBoxFuture"]),
        _ => false,
    }
}

/// Whether a path ends with one of these names.
fn is_called(path: &Path, names: &[&str]) -> bool {
    path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

/// Whether `main` certainly cannot return this type. Any other may implement `Termination`.
pub(crate) fn never_an_exit_code(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => never_an_exit_code(&group.elem),
        Type::Paren(paren) => never_an_exit_code(&paren.elem),
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Array(_) | Type::FnPtr(_) | Type::Ptr(_) | Type::Reference(_) | Type::Slice(_) | Type::TraitObject(_) => {
            true
        }
        Type::Path(path) => {
            is_primitive(path) || path.qself.is_none() && is_called(&path.path, &["Option", "String", "Vec"])
        }
        _ => false,
    }
}

/// Whether a worker certainly cannot return this type. A name may be an alias
/// for anything, which only rustc can check.
pub(crate) fn never_an_outcome(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => never_an_outcome(&group.elem),
        Type::Paren(paren) => never_an_outcome(&paren.elem),
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Array(_)
        | Type::FnPtr(_)
        | Type::ImplTrait(_)
        | Type::Never(_)
        | Type::Ptr(_)
        | Type::Reference(_)
        | Type::Slice(_)
        | Type::TraitObject(_) => true,
        Type::Path(path) => is_primitive(path),
        _ => false,
    }
}

fn is_primitive(path: &TypePath) -> bool {
    const PRIMITIVES: &[&str] = &[
        "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "f32", "f64",
    ];
    path.path.get_ident().is_some_and(|name| PRIMITIVES.iter().any(|primitive| name == primitive))
}

/// Whether a type contains a word.
pub(crate) fn mentions<W: ?Sized>(ty: &Type, word: &W) -> bool
where
    Ident: PartialEq<W>,
{
    has(ty.to_token_stream(), word)
}

fn has<W: ?Sized>(tokens: TokenStream, word: &W) -> bool
where
    Ident: PartialEq<W>,
{
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(found) => found == *word,
        TokenTree::Group(group) => has(group.stream(), word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// The type on one line, with the usual spaces.
pub(crate) fn written(ty: &Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, tight) in
        [(" :: ", "::"), (" < ", "<"), (" <", "<"), ("< ", "<"), (" >", ">"), ("& ", "&"), (" , ", ", "), (" ;", ";")]
    {
        text = text.replace(spaced, tight);
    }
    text
}

#[cfg(test)]
mod tests {
    use proc_macro2::{Delimiter, Group};
    use syn::parse_quote;

    use super::*;

    /// A type in the invisible group that a declarative macro puts around it.
    fn grouped(ty: &Type) -> Type {
        let group = Group::new(Delimiter::None, ty.to_token_stream());
        parse_quote!(#group)
    }

    #[test]
    fn a_borrow_is_found_wherever_it_stands() {
        let reference: Type = parse_quote!(&u8);
        for (ty, found) in [
            (grouped(&reference), "& u8"),
            (parse_quote!([&u8; 2]), "& u8"),
            (parse_quote!(Box<[&u8]>), "& u8"),
            (parse_quote!((&u8)), "& u8"),
            (parse_quote!((u8, &u8)), "& u8"),
            (parse_quote!(<&u8 as Deref>::Target), "& u8"),
            (parse_quote!(impl Iterator<Item = &u8>), "& u8"),
            (parse_quote!(Box<dyn Iterator<Item = &u8>>), "& u8"),
            (parse_quote!(Box<dyn Send + 'a>), "'a"),
            (parse_quote!(&'static Cow<'a, str>), "'a"),
        ] {
            let borrowed = borrowed(&ty).map(|part| part.to_string());
            assert_eq!(borrowed.as_deref(), Some(found), "{}", written(&ty));
        }
    }

    #[test]
    fn what_is_static_or_nobodys_yet_is_no_borrow() {
        for ty in [
            parse_quote!(&'static str),
            parse_quote!(Cow<'static, str>),
            parse_quote!(Box<dyn Send + 'static>),
            parse_quote!(fn(&u8) -> &u8),
            parse_quote!(Box<dyn Fn(&u8) -> &u8>),
            parse_quote!(Box<dyn for<'a> Visit<'a>>),
            parse_quote!(Vec<u8>),
        ] {
            assert!(borrowed(&ty).is_none(), "{}", written(&ty));
        }
    }

    #[test]
    fn an_error_of_this_thread_is_one_without_send() {
        for (ty, is_one) in [
            (parse_quote!(Result<(), Box<dyn Error>>), true),
            (parse_quote!(Result<(Vec<u8>, Box<dyn std::error::Error + 'static>), E>), true),
            (parse_quote!(Result<(), Arc<(dyn Error)>>), true),
            (parse_quote!(Result<(), Box<dyn Error + Send + Sync>>), false),
            (parse_quote!(Result<Box<dyn Answer>, Error>), false),
            (parse_quote!(Result<fn(&dyn Error), Error>), false),
        ] {
            assert_eq!(error_of_this_thread(&ty).is_some(), is_one, "{}", written(&ty));
        }
    }

    #[test]
    fn no_outcome_is_one_in_brackets_either() {
        let number: Type = parse_quote!(u32);
        let unit: Type = parse_quote!(());
        assert!(never_an_outcome(&grouped(&number)));
        assert!(never_an_outcome(&parse_quote!((u32))));
        assert!(!never_an_outcome(&grouped(&unit)));
        assert!(!never_an_outcome(&parse_quote!(Answer)));
    }
}
