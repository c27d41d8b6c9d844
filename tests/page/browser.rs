//! The page in a real, headless Chromium, driven by chromedriver: what a person sees, and a screen reader.
//!
//! `.ci/browser` installs both, and axe-core, and runs these tests. Where they are not installed, the tests are skipped and
//! say so. Each state is a screenshot in the folder for temporary files of the target folder: `target/tmp/page-*.png`.
#![cfg(unix)]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use graceful_page::{Viewer, shown};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

const SHOWN: &str = env!("CARGO_BIN_EXE_shown");

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A chromedriver. Killed when dropped.
struct Driver {
    process: process::Child,
    url: String,
}

impl Driver {
    fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        let mut process = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        Some(Self { process, url: format!("http://127.0.0.1:{}", port.expect("it says its port")) })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Commands of chromedriver that are not part of `WebDriver`.
#[derive(Debug)]
enum Extra {
    /// What the console has said since this was last asked.
    Log,
    Devtools(&'static str, Value),
}

impl WebDriverCompatibleCommand for Extra {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.expect("there is one");
        base.join(&match self {
            Self::Log => format!("session/{session}/se/log"),
            Self::Devtools(..) => format!("session/{session}/goog/cdp/execute"),
        })
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = match self {
            Self::Log => json!({ "type": "browser" }),
            Self::Devtools(command, parameters) => json!({ "cmd": command, "params": parameters }),
        };
        (Method::POST, Some(body.to_string()))
    }
}

/// A browser that looks at a page.
struct Browser {
    client: Client,
    _driver: Driver,
}

impl Browser {
    /// `None` where there is no browser.
    async fn open(url: &str) -> Option<Self> {
        let has_chromium = ["chromium", "google-chrome"].iter().any(|name| {
            Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        });
        let driver = Driver::start().filter(|_| has_chromium);
        let Some(driver) = driver else {
            skipped(&NO_BROWSER, "the page: no chromium or no chromedriver; .ci/browser installs both");
            return None;
        };
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"] });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(wanted.as_object().expect("an object").clone());
        let client = builder.connect(&driver.url).await.expect("a session");
        client.goto(url).await.expect("the page");
        Some(Self { client, _driver: driver })
    }

    async fn close(self) {
        let _ = self.client.close().await;
    }

    /// The text of this element, as far as it is shown.
    async fn text(&self, css: &str) -> String {
        match self.client.find(Locator::Css(css)).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Waits until the text of an element is like this, and returns it.
    async fn until(&self, css: &str, is_it: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let text = self.text(css).await;
            if is_it(&text) {
                return text;
            }
            let shown = self.text("body").await;
            assert!(begun.elapsed() < PATIENCE, "{css} is {text:?} in:\n{shown}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("it runs")
    }

    /// What is wrong on the console.
    async fn errors(&self) -> Vec<String> {
        let log = self.client.issue_cmd(Extra::Log).await.expect("chromedriver keeps it");
        let entries = log.as_array().expect("a list").iter();
        let is_bad = |entry: &&Value| entry["level"] == "SEVERE" || entry["level"] == "WARNING";
        entries.filter(is_bad).map(Value::to_string).collect()
    }

    async fn look(&self, scheme: &str, width: u32, is_phone: bool) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": is_phone });
        for command in [
            Extra::Devtools("Emulation.setEmulatedMedia", features),
            Extra::Devtools("Emulation.setDeviceMetricsOverride", metrics),
        ] {
            self.client.issue_cmd(command).await.expect("it can");
        }
    }

    /// In light and in dark, wide and as narrow as a phone: no part is wider than the window, and axe finds nothing.
    async fn check(&self, state: &str) {
        for (scheme, width) in [("light", 1200), ("dark", 1200), ("light", 390), ("dark", 390)] {
            self.look(scheme, width, width < 500).await;
            let wide = self.run("return document.documentElement.scrollWidth").await;
            assert!(wide.as_u64().is_some_and(|wide| wide <= width.into()), "{state}, {scheme}, {width}: {wide} wide");
            self.shoot(&format!("page-{state}-{scheme}-{width}")).await;
            self.check_access(&format!("{state}, {scheme}, {width}")).await;
        }
        self.look("light", 1200, false).await;
    }

    async fn shoot(&self, name: &str) {
        let parameters = json!({ "captureBeyondViewport": true, "format": "png" });
        let shot =
            self.client.issue_cmd(Extra::Devtools("Page.captureScreenshot", parameters)).await.expect("a picture");
        let png = STANDARD.decode(shot["data"].as_str().expect("base64")).expect("base64");
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png")), png).expect("it can be written");
    }

    /// Whether axe-core, where it is there, finds what a screen reader or a person with weak eyes stumbles over.
    async fn check_access(&self, state: &str) {
        let Some(axe) = axe() else { return };
        self.run(&axe).await;
        let script = "const done = arguments[arguments.length - 1]; axe.run(document, { resultTypes: ['violations'] })\
            .then((found) => done(found.violations.map((one) => [one.id, one.nodes.map((node) => node.html + node.failureSummary)])))\
            .catch((error) => done([String(error)]))";
        let found = self.client.execute_async(script, Vec::new()).await.expect("axe runs");
        assert_eq!(found, json!([]), "{state}");
    }
}

static NO_BROWSER: Once = Once::new();
static NO_AXE: Once = Once::new();

/// Says so, once, past the harness, which would keep it to itself.
fn skipped(once: &Once, what: &str) {
    let why = format!("\n*** SKIPPED, which proves nothing of {what} ***\n");
    once.call_once(|| drop(std::io::stderr().lock().write_all(why.as_bytes())));
}

/// The script of axe-core; without it that part is skipped, and says so.
fn axe() -> Option<String> {
    let path = env::var_os("AXE");
    let script = path.and_then(|path| fs::read_to_string(path).ok());
    if script.is_none() {
        skipped(&NO_AXE, "access: AXE is not the path of axe-core; .ci/browser installs it");
    }
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_seen_to_its_end_and_the_page_becomes_its_timeline() {
    let (mut child, address) = shown(SHOWN, &[]);
    let Some(browser) = Browser::open(&format!("http://{address}/")).await else { return };
    browser.until("#state", |text| text.contains("ready")).await;
    assert_eq!(browser.text("#name").await, "orders");
    // Live: the time moves on.
    let first = browser.text("#contact").await;
    browser.until("#contact", |text| text.starts_with("live, ") && text != first).await;
    assert_eq!(browser.errors().await, [""; 0]);

    // A name is text, an error as well: nothing in them has become an element, or has run.
    let workers = browser.until("#workers", |text| text.contains("no route to <b>host</b>")).await;
    assert!(workers.contains("<img src=x onerror=\"document.title='owned'\"></script>"), "{workers}");
    assert_eq!(browser.run("return document.querySelectorAll('img, b, i, main script').length").await, 0);
    assert!(browser.client.title().await.is_ok_and(|title| title == "ready · orders"));
    browser.check("ready").await;

    child.tell("stop");
    browser.until("#state", |text| text.contains("draining") || text.contains("stopping")).await;
    let width = async || browser.run("return document.getElementById('left').getBoundingClientRect().width").await;
    let left = async || browser.run("return +document.getElementById('budget').getAttribute('aria-valuenow')").await;
    let (wide_before, left_before) = (width().await, left().await);
    browser.until("#budget-text", |text| text.contains(" of 8.0 s left")).await;
    browser.until("#timeline", |text| text.contains("write") || text.contains("flush")).await;
    browser.shoot("page-stopping-light-1200").await;
    browser.look("dark", 390, true).await;
    browser.shoot("page-stopping-dark-390").await;
    browser.check_access("stopping").await;
    browser.look("light", 1200, false).await;
    let begun = Instant::now();
    while width().await.as_f64() >= wide_before.as_f64() || left().await.as_f64() >= left_before.as_f64() {
        assert!(begun.elapsed() < PATIENCE, "the bar does not move: {wide_before}, {left_before}");
    }

    child.end().assert_code(1);
    browser.until("#state", |text| text.contains("ended: exit code 1")).await;
    let held = browser.text("#held-up").await;
    assert!(held.starts_with("Held up longest by flush: 2."), "{held}");
    assert!(browser.text("#picture").await.contains("after_stop close the pool"));
    browser.until("#contact", |text| text.contains("this page keeps what it was")).await;
    // It is gone, and nothing asks for it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(browser.errors().await, [""; 0]);
    browser.run("document.querySelector('details').open = true").await;
    assert!(browser.text("#bars").await.contains("flush"));
    browser.check("ended").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_worker_is_seen_within_two_seconds() {
    let (mut child, address) = shown(SHOWN, &["current_thread"]);
    let Some(browser) = Browser::open(&format!("http://{address}/")).await else { return };
    let before = browser.until("#contact", |text| text.starts_with("live, ")).await;
    // Right after an event, so that the worst case is the next but one.
    browser.until("#contact", |text| text != before).await;
    // Another viewer says how late a busy machine is: events come once a second.
    let (note, noted) = std::sync::mpsc::channel();
    let mut other = Viewer::new(address);
    std::thread::spawn(move || while other.next().is_some() && note.send(Instant::now()).is_ok() {});
    child.tell("block");
    let told = child.prints("it blocks");
    let shown = browser.until("#blocked", |text| text.contains("obey > blocks")).await;
    let took = told.elapsed();
    let events: Vec<_> = noted.try_iter().collect();
    let longest = events.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default();
    let late = longest.saturating_sub(Duration::from_millis(1100));
    println!("shown after {took:?}; events were {late:?} late");
    assert!(took < Duration::from_secs(2) + 2 * late, "{took:?}, {late:?} late");
    assert!(shown.contains("shown.rs:") && shown.contains("blocks the thread main"), "{shown}");
    assert_eq!(browser.errors().await, [""; 0]);
    browser.check("blocked").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_the_page_is_a_table_that_is_refreshed() {
    let (_child, address) = shown(SHOWN, &[]);
    let Some(browser) = Browser::open("about:blank").await else { return };
    let off = json!({ "value": true });
    browser.client.issue_cmd(Extra::Devtools("Emulation.setScriptExecutionDisabled", off)).await.expect("it can");
    browser.client.goto(&format!("http://{address}/")).await.expect("the page");
    let first = browser.until("pre", |text| text.contains("consumers > consume")).await;
    browser.until("pre", |text| text.contains("ready, up ") && text != first).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_events_do_not_come_the_page_asks_again_and_again() {
    let (_child, address) = shown(SHOWN, &[]);
    let Some(browser) = Browser::open("about:blank").await else { return };
    let script = json!({ "source": "window.EventSource = class { close() {} addEventListener() {} }" });
    browser.client.issue_cmd(Extra::Devtools("Page.addScriptToEvaluateOnNewDocument", script)).await.expect("it can");
    browser.client.goto(&format!("http://{address}/")).await.expect("the page");
    let first = browser.until("#contact", |text| text.starts_with("live, ")).await;
    browser.until("#contact", |text| text.starts_with("live, ") && text != first).await;
    assert_eq!(browser.errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_in_a_file_shows_the_same() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-shown.html", process::id()));
    let (child, _) = graceful_page::shown_as(Command::new(SHOWN).env("GRACEFUL_TIMELINE", &path));
    child.terminate();
    child.end();
    let Some(browser) = Browser::open(&format!("file://{}", path.display())).await else { return };
    browser.until("#state", |text| text.contains("ended: exit code 1")).await;
    assert!(browser.text("#held-up").await.contains("flush"));
    assert_eq!(browser.errors().await, [""; 0]);
    browser.check("file").await;
    browser.close().await;
    fs::remove_file(path).expect("it is there");
}

/// The picture as others show it: alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_picture_is_seen_alone() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-shown.svg", process::id()));
    let (child, _) = graceful_page::shown_as(Command::new(SHOWN).env("GRACEFUL_TIMELINE", &path));
    child.terminate();
    child.end();
    let Some(browser) = Browser::open(&format!("file://{}", path.display())).await else { return };
    for scheme in ["light", "dark"] {
        browser.look(scheme, 1000, false).await;
        browser.shoot(&format!("page-picture-{scheme}")).await;
    }
    let colour = browser.run("return getComputedStyle(document.querySelector('.g-back')).fill").await;
    assert_eq!(colour, "rgb(20, 24, 29)", "dark");
    browser.close().await;
    fs::remove_file(path).expect("it is there");
}
