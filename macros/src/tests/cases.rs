//! The mistakes of `tests/ui/fail` without rustc: the attributes report for each what was recorded there. rustc takes
//! seconds for them, this takes moments, which makes mutation tests fast.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::LitStr;

use crate::pipeline;

/// Cases that need rustc: three have an item that another attribute has expanded, one an error in the body.
const NEED_RUSTC: [&str; 4] =
    ["main_below_tokio_main", "body_does_not_parse", "worker_below_what_makes_items", "worker_returns_a_future"];

/// An attribute of ours on an item: its name, its arguments, and the item with its other attributes.
type Use = (String, TokenStream, TokenStream);

#[test]
fn the_attributes_say_what_is_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ui/fail");
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: no {}", folder.display());
        return;
    };
    let (mut errors, mut wrong) = (0, Vec::new());
    for file in files {
        let file = file.expect("the folder can be read").path();
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        if file.extension().is_some_and(|it| it == "rs") && !NEED_RUSTC.contains(&&*name) {
            let read = |path: &Path| fs::read_to_string(path).expect("a case can be read");
            let recorded = read(&file.with_extension("stderr"));
            let (said, recorded) = (said(&read(&file)), errors_of_ours(&recorded));
            errors += said.len();
            if said != recorded {
                wrong.push((file, said, recorded));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(errors > 100, "{errors} errors in {}", folder.display());
}

/// The messages of a recorded output, sorted. Those of rustc itself have a code.
fn errors_of_ours(recorded: &str) -> Vec<String> {
    let errors = recorded.lines().filter_map(|line| line.strip_prefix("error: "));
    sorted(errors.map(str::to_owned).collect())
}

/// The errors of the attributes in a file, sorted: without rustc their source order is unknown.
fn said(source: &str) -> Vec<String> {
    let tokens: TokenStream = source.parse().expect("a case is made of tokens");
    let mut found = Vec::new();
    find_uses(tokens, &mut found);
    assert!(!found.is_empty(), "no attribute in\n{source}");
    let mut messages = Vec::new();
    for (name, arguments, item) in found {
        let expanded = match &*name {
            "main" => pipeline::main(arguments, &item),
            "test" => pipeline::test(arguments, &item),
            _ => pipeline::worker(arguments, &item),
        };
        find_messages(expanded, &mut messages);
    }
    sorted(messages)
}

fn sorted(mut messages: Vec<String>) -> Vec<String> {
    messages.sort_unstable();
    messages
}

/// Tokens up to a semicolon or braces are an item; one without an attribute of ours may have some inside.
fn find_uses(tokens: TokenStream, found: &mut Vec<Use>) {
    let mut item = Vec::new();
    let mut ours = None;
    for token in tokens {
        let is_end = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        match token {
            TokenTree::Group(group) if ours.is_none() => {
                ours = of_ours(&group);
                if ours.is_some() {
                    item.pop(); // its `#`
                    continue;
                }
                if is_end {
                    find_uses(group.stream(), found);
                }
                item.push(TokenTree::Group(group));
            }
            token => item.push(token),
        }
        if is_end {
            let item = std::mem::take(&mut item).into_iter().collect();
            if let Some((name, arguments)) = ours.take() {
                found.push((name, arguments, item));
            }
        }
    }
}

/// The name and the arguments of `[graceful::name(arguments)]`.
fn of_ours(group: &Group) -> Option<(String, TokenStream)> {
    let tokens: Vec<_> = group.stream().into_iter().collect();
    if group.delimiter() != Delimiter::Bracket || tokens.first()?.to_string() != "graceful" {
        return None;
    }
    let arguments = match tokens.get(4) {
        Some(TokenTree::Group(arguments)) => arguments.stream(),
        _ => TokenStream::new(),
    };
    Some((tokens.get(3)?.to_string(), arguments))
}

/// The text of each `compile_error!`, wherever it is.
fn find_messages(tokens: TokenStream, messages: &mut Vec<String>) {
    let mut is_error = false;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => is_error = name == "compile_error",
            TokenTree::Group(group) if is_error => {
                let text: LitStr = syn::parse2(group.stream()).expect("a message is a text");
                messages.push(text.value());
                is_error = false;
            }
            TokenTree::Group(group) => find_messages(group.stream(), messages),
            _ => {}
        }
    }
}
