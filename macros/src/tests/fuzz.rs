//! Throws thousands of damaged attributes and items at the attributes: none of them may panic, and each gives either
//! code that parses or an error with a text.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{File, Item, LitStr};

use crate::pipeline;

const ATTRIBUTES: &[&str] = &[
    "stop_timeout = \"25s\", drain = \"5s\", signals = [\"SIGTERM\", \"SIGINT\"], reraise, reap",
    "upgrade = \"SIGUSR2\", upgrade_timeout = \"60s\", pid_file = \"/run/api.pid\"",
    "dump = \"SIGUSR1\", flavor = \"multi_thread\", worker_threads = 4, name = \"api\"",
    "stop_timeout = \"none\", crate = ::a::graceful, flavor = \"current_thread\"",
    "name = \"consume\", on_failure = \"restart\", max_restarts = 5, backoff = \"100ms..10s\"",
    "on_failure = \"restart\", max_restarts = \"3 in 10m\", every = \"1d\", initial_delay = \"1h\"",
    "essential, every = \"60s\", stop = \"early\", when_stopping = \"refuse\", blocking",
    "stop_timeout = a::<B, C>(1, -2) + LIMIT, backoff = MIN..MAX, start_paused = true",
];

const ITEMS: &[&str] = &[
    "#[doc = \"x\"] pub async fn main() -> Result<(), E> where A: B { body(); }",
    "async fn consume<T: Send, const N: usize>(mut a: A, (b, c): (B, C), #[cfg(x)] d: D) { e }",
    "#[must_use] #[instrument(skip_all)] unsafe extern \"C\" fn f(&self, x: &'a str, ...) -> ! {}",
    "const async fn g(self: Box<Self>, f: Box<dyn for<'a> Fn(&'a str) -> &'a u8>) -> impl Sized;",
    "pub struct S<T>(T);",
    "impl<T> Trait for [T; 3] { fn f() {} }",
];

/// Tokens that are put where they do not belong.
const STRAY: &[&str] = &[
    ",",
    "=",
    "..",
    "::",
    "<",
    ">",
    "&",
    "'a",
    "!",
    "#",
    ";",
    "-",
    "fn",
    "async",
    "crate",
    "self",
    "impl",
    "true",
    "stop",
    "every",
    "1",
    "0",
    "-1",
    "1.5",
    "\"\"",
    "\"5s\"",
    "\"3 in 5s\"",
    "\"SIGKILL\"",
    "'c'",
    "b\"x\"",
    "()",
    "[]",
    "{}",
    "(a, b)",
    "[\"SIGTERM\"]",
    "r#type",
    "_",
    "$",
    "macro_rules",
    "use",
];

/// A small generator of pseudo-random numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap_or(0)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

#[test]
fn damaged_attributes_never_panic() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for _ in 0..6_000 {
        let attribute = damaged(dice.pick(ATTRIBUTES), &mut dice);
        let item = parsed(dice.pick(ITEMS));
        check(&attribute, &item);
    }
}

#[test]
fn damaged_items_never_panic() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    for _ in 0..6_000 {
        let attribute = parsed(dice.pick(ATTRIBUTES));
        let item = damaged(dice.pick(ITEMS), &mut dice);
        check(&attribute, &item);
    }
}

fn check(attribute: &TokenStream, item: &TokenStream) {
    for expand in [pipeline::main, pipeline::worker, pipeline::test] {
        let output = expand(attribute.clone(), item);
        let Ok(file) = syn::parse2::<File>(output.clone()) else {
            // An item has no inner attributes at its start, a file may.
            let valid = syn::parse2::<File>(item.clone()).is_ok_and(|file| file.attrs.is_empty());
            assert!(!valid, "({attribute}) made this of {item}:\n{output}");
            // Of a body rustc speaks.
            let says_so = || output.to_string().contains("compile_error");
            assert!(syn::parse2::<File>(without_body(item)).is_ok() || says_so(), "{output}");
            continue;
        };
        for item in file.items {
            let Item::Macro(item) = item else { continue };
            if item.mac.path.segments.last().is_some_and(|it| it.ident == "compile_error") {
                let message = item.mac.parse_body::<LitStr>().map(|text| text.value());
                assert!(message.is_ok_and(|text| !text.is_empty()), "({attribute}) {output}");
            }
        }
    }
}

/// The item with nothing in its last braces.
fn without_body(item: &TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.clone().into_iter().collect();
    if let Some(TokenTree::Group(body)) = tokens.last_mut()
        && body.delimiter() == Delimiter::Brace
    {
        *body = Group::new(Delimiter::Brace, TokenStream::new());
    }
    tokens.into_iter().collect()
}

fn parsed(text: &str) -> TokenStream {
    text.parse().expect("the samples are made of tokens")
}

/// The sample with up to four of its tokens taken out, doubled, swapped or
/// replaced, at any depth.
fn damaged(text: &str, dice: &mut Dice) -> TokenStream {
    let mut tokens = parsed(text);
    for _ in 0..=dice.roll(4) {
        tokens = damaged_once(tokens, dice);
    }
    tokens
}

fn damaged_once(tokens: TokenStream, dice: &mut Dice) -> TokenStream {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    if tokens.is_empty() {
        return parsed(dice.pick(STRAY));
    }
    let (here, there) = (dice.roll(tokens.len()), dice.roll(tokens.len()));
    if let TokenTree::Group(group) = &tokens[here]
        && dice.roll(3) > 0
    {
        let inside = damaged_once(group.stream(), dice);
        let delimiter = match dice.roll(12) {
            0 => Delimiter::None,
            1 => Delimiter::Bracket,
            _ => group.delimiter(),
        };
        tokens[here] = TokenTree::Group(Group::new(delimiter, inside));
        return tokens.into_iter().collect();
    }
    match dice.roll(4) {
        0 => drop(tokens.remove(here)),
        1 => tokens.insert(there, tokens[here].clone()),
        2 => tokens.swap(here, there),
        _ => drop(tokens.splice(here..here, parsed(dice.pick(STRAY)))),
    }
    tokens.into_iter().collect()
}
