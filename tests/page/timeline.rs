//! `GRACEFUL_TIMELINE`: a picture of the stop, whatever ended it; and it is of what happened.
#![cfg(unix)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use graceful_page::{ms, status};
use graceful_tests::{Child, End};
use roxmltree::{Document, Node};
use serde_json::Value;

const SHOWN: &str = env!("CARGO_BIN_EXE_shown");

/// A path that no other test has. Removed when dropped.
struct Place(PathBuf);

impl Place {
    fn new(kind: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}.{kind}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    fn read(&self) -> String {
        fs::read_to_string(&self.0).expect("it was written")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn start(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(SHOWN);
    command.args(arguments).env("GRACEFUL_TIMELINE", &place.0).envs(variables.iter().copied());
    let child = Child::start(&mut command);
    child.prints("up");
    child
}

/// A bar of the picture: from when to when, in milliseconds, as far as its place says so.
struct Bar {
    from: f64,
    to: f64,
    is_striped: bool,
    text: String,
    /// Its row.
    y: f64,
}

/// The bars by name, the places of the marks by theirs, and how many milliseconds a unit of width is.
fn read(svg: &str) -> (HashMap<String, Bar>, HashMap<String, f64>, f64) {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    let number = |node: Node<'_, '_>, name| node.attribute(name).and_then(|text| text.parse::<f64>().ok());
    let element = |name| {
        document
            .descendants()
            .filter(move |node: &Node<'_, '_>| node.has_tag_name(("http://www.w3.org/2000/svg", name)))
    };
    // The axis is the scale: a line and a time for each step.
    let axis: Vec<_> = element("text")
        .filter(|node| node.attribute("text-anchor") == Some("middle"))
        .map(|node| (number(node, "x").expect("a place"), time(node.text().expect("a time"))))
        .collect();
    let [(left, zero), .., (right, last)] = axis[..] else { panic!("no axis: {svg}") };
    assert!(zero.abs() < 0.1);
    let scale = last / (right - left);
    let mut bars = HashMap::new();
    for group in element("g") {
        let rects: Vec<_> = group.children().filter(|node| node.has_tag_name("rect")).collect();
        let (x, width) = (number(rects[0], "x").expect("x"), number(rects[0], "width").expect("width"));
        let texts: Vec<_> =
            group.children().filter(|node| node.has_tag_name("text")).filter_map(|node| node.text()).collect();
        let bar = Bar {
            from: (x - left) * scale,
            to: (x + width - left) * scale,
            is_striped: rects.len() > 1,
            text: texts[1].to_owned(),
            y: number(rects[0], "y").expect("y"),
        };
        bars.insert(texts[0].to_owned(), bar);
    }
    let mut rows: Vec<_> = bars.values().map(|bar: &Bar| bar.y).collect();
    rows.sort_by(f64::total_cmp);
    assert!(rows.windows(2).all(|two| two[1] - two[0] >= 20.0), "each has a row of its own: {rows:?}");
    let mut marks = HashMap::new();
    for path in element("path").filter(|path| path.attribute("class") == Some("g-mark")) {
        let title = path.first_element_child().and_then(|title| title.text()).expect("a title");
        let name = title.split_once(", after ").expect("what and when").0;
        let x = path.attribute("d").and_then(|d| d[1..].split(' ').next()).and_then(|x| x.parse::<f64>().ok());
        marks.insert(name.to_owned(), (x.expect("a place") - left) * scale);
    }
    (bars, marks, scale)
}

/// `500 ms`, `1.5 s`.
fn time(text: &str) -> f64 {
    let (number, unit) = text.split_once(' ').expect("a unit");
    number.parse::<f64>().expect("a number") * if unit == "s" { 1000.0 } else { 1.0 }
}

/// The picture is of this status: each bar and each mark is where its times are.
#[track_caller]
fn assert_is_of(svg: &str, status: &Value) {
    let (bars, marks, scale) = read(svg);
    // A bar is at least two units wide; times of workers are to the millisecond.
    let near = |one: f64, other: f64| (one - other).abs() <= 2.0 * scale + 2.0;
    let told: HashMap<_, _> = list(&status["trace"])
        .filter_map(|moment| Some((moment["event"]["Told"].as_str()?, ms(&moment["after"]))))
        .collect();
    for (stage, at) in &told {
        let mark = marks[&format!("{} told to stop", stage.to_lowercase())];
        assert!(near(mark, *at), "{stage}: {mark} for {at}");
    }
    let mut seen = 0;
    for hook in list(&status["hooks"]) {
        let stage = match hook["stage"].as_str() {
            Some("BeforeStop") => "before_stop",
            Some("OnStop") => "on_stop",
            _ => "after_stop",
        };
        let name = format!("{stage} {}", hook["name"].as_str().expect("a name"));
        let (name, bar) =
            bars.iter().find(|(shown, _)| name.ends_with(shown.trim_start_matches('…'))).expect("its bar");
        let (from, to) = (ms(&hook["began"]), ms(&hook["began"]) + ms(&hook["took"]));
        assert!(near(bar.from, from) && near(bar.to, to), "{name}: {} to {}, not {from} to {to}", bar.from, bar.to);
        assert_eq!(bar.text.contains("failed"), hook["progress"] == "Failed", "{name}: {}", bar.text);
        seen += 1;
    }
    for worker in list(&status["workers"]).filter(|worker| worker["ended"].is_object()) {
        let name = worker["name"].as_str().expect("a name");
        let Some((_, bar)) = bars.iter().find(|(shown, _)| shown.rsplit("> ").next() == Some(name)) else {
            // Cut, since it is long.
            assert!(name.chars().count() > 28, "no bar for {name}");
            continue;
        };
        let (from, to) = (told[worker["stage"].as_str().unwrap_or("Main")], ms(&worker["ended"]));
        assert!(
            near(bar.from, from.min(to)) && near(bar.to, to),
            "{name}: {} to {}, not {from} to {to}",
            bar.from,
            bar.to
        );
        seen += 1;
    }
    assert!(seen >= 7, "{seen} of {status}");
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[test]
fn the_picture_is_of_what_has_happened() {
    let place = Place::new("svg");
    let child = start(&place, &[], &[]);
    child.terminate();
    let end = child.end();
    end.assert_code(1);
    let svg = place.read();
    assert_is_of(&svg, &status(&end));
    let (bars, ..) = read(&svg);
    assert!(bars["flush"].is_striped && bars["flush"].text.contains("held up longest: 2."), "{}", bars["flush"].text);
    assert!(!bars["consumers > consume"].is_striped);
    assert!(svg.contains("orders: SIGTERM, stopped in "), "{svg}");
    assert!(svg.contains("exit code 1 (on_stop hook `close &lt;b&gt;the&lt;/b&gt; doors`"), "{svg}");
    assert!(svg.contains("held up longest by flush: 2."), "{svg}");
    assert!(!svg.contains("<img") && !svg.contains("<b>"), "{svg}");
}

#[test]
fn a_program_that_ends_well_has_one_as_well() {
    let place = Place::new("svg");
    let mut command = Command::new(env!("CARGO_BIN_EXE_page-timeline"));
    let child = Child::start(command.env("GRACEFUL_TIMELINE", &place.0));
    child.prints_part("press Ctrl-C");
    child.interrupt();
    child.end().assert_code(0);
    let svg = place.read();
    let (bars, ..) = read(&svg);
    assert!(svg.contains("orders: SIGINT, stopped in ") && svg.contains(", exit code 0<"), "{svg}");
    assert!(bars["write_batches"].is_striped, "{svg}");
    assert!(bars["after_stop close the pool"].to - bars["after_stop close the pool"].from >= 200.0);
}

#[test]
fn it_is_written_when_the_deadline_ends_a_process_that_is_stuck() {
    // With a thread that is free the `on_stop` hook fails before that.
    for (flavour, code) in [("current_thread", 124), ("multi_thread", 1)] {
        let place = Place::new("svg");
        let mut child = start(&place, &[flavour], &[("GRACEFUL_STOP_TIMEOUT", "1s")]);
        child.tell("block");
        child.prints("it blocks");
        let told = child.terminate();
        let end = child.end();
        end.assert_code(code);
        assert_in_time(&end, told);
        let svg = place.read();
        let (bars, ..) = read(&svg);
        let bar = &bars["obey > blocks"];
        assert!(bar.is_striped && bar.text.contains("still runs, blocks its thread"), "{flavour}: {}", bar.text);
        assert!(svg.contains(&format!(", exit code {code} (")) && svg.contains(">at the abort: "), "{svg}");
    }
}

#[test]
fn it_is_written_at_the_second_ctrl_c() {
    let place = Place::new("svg");
    let mut child = start(&place, &["current_thread"], &[]);
    child.tell("block");
    child.prints("it blocks");
    child.interrupt();
    child.says("stopping: SIGINT");
    // The same signal within 100 ms counts once.
    std::thread::sleep(Duration::from_millis(300));
    let told = child.interrupt();
    let end = child.end();
    end.assert_code(130);
    assert!(end.after(told) < Duration::from_millis(500), "{end}");
    let svg = place.read();
    assert!(svg.contains("orders: SIGINT, ended after ") && svg.contains("exit code 130"), "{svg}");
    assert!(read(&svg).0.contains_key("obey > blocks"));
}

#[test]
fn a_page_is_written_where_the_path_says_so() {
    let place = Place::new("html");
    let child = start(&place, &[], &[]);
    child.terminate();
    child.end();
    let page = place.read();
    assert!(page.starts_with("<!doctype html>") && page.contains("data-kind=\"file\""), "{page}");
    assert!(page.contains("\"is_last\":true") && page.len() < 60_000, "{} bytes", page.len());
    assert!(!page.contains("<img") && !page.contains("connect-src"), "it asks nobody: {page}");
}

#[test]
fn a_path_of_another_kind_is_an_error_at_the_start() {
    for wrong in ["stop.png", "", "svg"] {
        let mut command = Command::new(SHOWN);
        let end = Child::start(command.env("GRACEFUL_TIMELINE", wrong)).end();
        end.assert_code(2);
        end.assert_said("GRACEFUL_TIMELINE=");
        end.assert_said("write a path that ends with .svg or .html");
    }
}

#[test]
fn the_process_id_is_part_of_the_path_where_it_is_asked_for() {
    let place = Place::new("svg");
    let pattern = place.0.with_extension("%p.svg");
    let mut command = Command::new(SHOWN);
    let child = Child::start(command.env("GRACEFUL_TIMELINE", &pattern));
    child.prints("up");
    child.terminate();
    let written = Place(place.0.with_extension(format!("{}.svg", child.pid())));
    child.end();
    assert!(written.read().starts_with("<svg "));
}

#[test]
fn a_folder_that_is_not_there_costs_a_line_and_nothing_else() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_page-timeline"));
    let child = Child::start(command.env("GRACEFUL_TIMELINE", "/nowhere/stop.svg"));
    child.prints_part("press Ctrl-C");
    child.interrupt();
    let end = child.end();
    end.assert_code(0);
    end.assert_said("no timeline in /nowhere/stop.svg: ");
}

/// Nobody reads what is written there: it would block forever.
#[test]
fn a_file_that_blocks_does_not_hold_up_the_end() {
    let place = Place::new("svg");
    nix::unistd::mkfifo(&place.0, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let mut child = start(&place, &["current_thread"], &[("GRACEFUL_STOP_TIMEOUT", "1s")]);
    child.tell("block");
    child.prints("it blocks");
    let told = child.terminate();
    let end = child.end();
    end.assert_code(124);
    assert_in_time(&end, told);
}

/// As without the file: between the abort and a little after the deadline of 1 s.
#[track_caller]
fn assert_in_time(end: &End, told: std::time::Instant) {
    end.assert_gone_between(told, Duration::from_millis(900), Duration::from_millis(1500));
}
