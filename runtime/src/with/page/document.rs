//! The page: one document, with its style and its script inside.

use std::hash::{BuildHasher, RandomState};

use crate::life::lifecycle::Lifecycle;
use crate::report::status::Status;
use crate::with::page::snapshot;
use crate::with::page::svg::escaped;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const PICTURE: &str = include_str!("svg.css");
const SCRIPT: &str = include_str!("page.js");

/// The page as it is served.
pub(crate) struct Document {
    pub(crate) html: String,
    /// What the browser may load and run: `Content-Security-Policy`.
    pub(crate) policy: String,
}

/// The page as it begins: what it shows at first is in it.
pub(crate) fn live(life: &Lifecycle) -> Document {
    // The text is for browsers that run no script.
    let text = Status::take(life, None).to_string();
    let nonce = nonce();
    let policy = policy(&nonce);
    let refresh = "<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>";
    let html = fill(&nonce, refresh, "live", &snapshot::snapshot(life), &text);
    Document { html, policy: format!("{policy}; connect-src 'self'; frame-ancestors 'none'") }
}

/// The page as a file, which asks nobody.
pub(crate) fn of_file(life: &Lifecycle, status: &Status) -> String {
    let nonce = nonce();
    let policy = format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">", policy(&nonce));
    fill(&nonce, &policy, "file", &snapshot::of_end(life, status, true), &status.to_string())
}

fn fill(nonce: &str, head: &str, kind: &str, json: &str, text: &str) -> String {
    // Inside a script element only `</` and `<!--` mean something.
    let (json, text) = (json.replace('<', "\\u003c"), escaped_lines(text));
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + json.len() + text.len());
    for part in PAGE.split("{{") {
        let Some((name, rest)) = part.split_once("}}") else {
            page.push_str(part);
            continue;
        };
        page.push_str(match name {
            "nonce" => nonce,
            "head" => head,
            "kind" => kind,
            "style" => STYLE,
            "picture" => PICTURE,
            "script" => SCRIPT,
            "json" => &json,
            "text" => &text,
            other => unreachable!("the page has no {other}"),
        });
        page.push_str(rest);
    }
    page
}

/// As [`escaped`], and lines stay lines.
fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; base-uri 'none'; \
         form-action 'none'"
    )
}

/// A text that cannot be guessed. The standard library's hashers begin with random keys.
fn nonce() -> String {
    let random = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::test::unit;

    #[test]
    fn the_page_is_whole_and_small() {
        let Document { html, policy } = live(&unit::lifecycle());
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        assert!(!html.contains("{{"), "a part is missing");
        assert!(html.len() < 60_000, "{} bytes", html.len());
        let (_, nonce) = policy.split_once("'nonce-").expect("there is one");
        let nonce = nonce.split('\'').next().expect("it ends");
        assert_eq!(html.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        assert_ne!(live(&unit::lifecycle()).policy, policy, "it is another one each time");
        // Nothing comes from elsewhere.
        for link in ["src=", "@import", "url(http", "https://"] {
            assert!(!html.contains(link), "{link}");
        }
    }

    #[test]
    fn what_others_have_written_is_text() {
        let page = fill("n", "", "live", r#"{"name":"</script><script>{{text}}"}"#, "<b>{{json}}\n'");
        assert!(page.contains(r#"{"name":"\u003c/script>\u003cscript>{{text}}"}"#), "{page}");
        assert!(page.contains("&lt;b&gt;{{json}}\n&#39;"), "{page}");
    }
}
