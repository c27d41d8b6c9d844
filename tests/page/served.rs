//! The page over plain sockets: what is answered, what ends by itself, and that nobody is held up.
#![cfg(unix)]

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use graceful_page::{Viewer, get, shown, shown_as};
use graceful_tests::client::{address_after, connect, rest_of, wait_until_refused};
use graceful_tests::{Child, FLAVOURS};
use serde_json::Value;

const SHOWN: &str = env!("CARGO_BIN_EXE_shown");

#[test]
fn accept_decides_what_an_answer_is() {
    for place in ["served", "mounted"] {
        let (child, address) = shown(SHOWN, &["multi_thread", place]);
        let (head, page) = get(address, "text/html,application/xhtml+xml,*/*;q=0.8");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/html"), "{head}");
        assert!(head.contains("cache-control: no-store") && head.contains("content-security-policy:"), "{head}");
        assert!(page.starts_with("<!doctype html>") && page.len() < 60_000, "{} bytes", page.len());
        let (_, text) = get(address, "*/*");
        assert!(text.starts_with("ready, up ") && text.contains("consumers > consume"), "{text}");
        let (head, json) = get(address, "application/json");
        assert!(head.contains("content-type: application/json"), "{head}");
        let status: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(status["state"], "Ready");
        child.terminate();
        child.end();
    }
}

#[test]
fn the_example_prints_where_it_can_be_looked_at() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_page-http"));
    let child = Child::start(command.arg("0").env("GRACEFUL_DRAIN", "0s"));
    child.prints("press Ctrl-C here while it waits");
    let (page, health) = (address_after(&child, "look at it on "), address_after(&child, "health on "));
    for address in [page, health] {
        let (_, html) = get(address, "text/html");
        assert!(html.contains("\"name\":\"http\"") && html.contains("health"), "{html}");
    }
    let mut viewer = Viewer::new(page);
    viewer.next().expect("the first one");
    child.interrupt();
    assert_eq!(viewer.until(|view| view["is_last"] == true)["end"][0], 0);
    child.end().assert_code(0);
}

#[test]
fn neither_arguments_nor_environment_are_shown() {
    let mut command = Command::new(SHOWN);
    let command = command.args(["multi_thread", "served", "secret-argument"]).env("TOKEN", "secret-variable");
    let (_child, address) = shown_as(command);
    for accept in ["text/html", "text/plain", "application/json"] {
        let (_, body) = get(address, accept);
        assert!(!body.contains("secret"), "{accept}: {body}");
    }
}

#[test]
fn a_page_from_elsewhere_cannot_read_it() {
    let (_child, address) = shown(SHOWN, &[]);
    assert!(address.ip().is_loopback());
    let mut client = connect(address);
    write!(client, "GET / HTTP/1.1\r\nHost: elsewhere.example:{}\r\n\r\n", address.port()).expect("it is sent");
    let answer = rest_of(client);
    assert!(answer.starts_with("HTTP/1.1 421 ") && !answer.contains("consume"), "{answer}");
}

#[test]
fn a_thread_that_is_blocked_is_shown_while_no_thread_of_the_program_is_free() {
    let (mut child, address) = shown(SHOWN, &["current_thread"]);
    child.tell("block");
    child.prints("it blocks");
    // The first event comes at once, the second is sampled.
    let mut viewer = Viewer::new(address);
    let views = [(); 2].map(|()| viewer.next().expect("it goes on").1);
    let view = &views[1];
    let blocked = &view["blocked"][0];
    assert_eq!(blocked["name"], "obey > blocks");
    assert!(blocked["at"].as_str().is_some_and(|at| at.contains("shown.rs:")), "{blocked}");
    assert_eq!(blocked["thread"], "main");
    let row = view["workers"].as_array().expect("rows").iter().find(|row| row["name"] == "blocks").expect("its row");
    assert_eq!((&row["is_blocked"], &row["parents"][0]), (&Value::Bool(true), &Value::from("obey")));
}

#[test]
fn viewers_have_the_last_of_a_stop_before_the_process_is_gone() {
    for flavour in FLAVOURS {
        let (child, address) = shown(SHOWN, &[flavour]);
        let mut viewer = Viewer::new(address);
        let first = viewer.next().expect("the first one").1;
        assert_eq!((&first["state"], &first["stop"], &first["end"]), (&"ready".into(), &Value::Null, &Value::Null));
        child.terminate();
        let stopping = viewer.until(|view| view["state"] == "stopping");
        let budget = &stopping["stop"]["budget"];
        assert_eq!((&budget[0], &budget[1]), (&8000.into(), &7200.into()));
        let mut last = stopping;
        for (kind, view) in viewer.by_ref() {
            assert_eq!(kind == "end", view["is_last"] == true);
            let spent = |view: &Value| view["stop"]["spent"].as_u64();
            assert!(spent(&view) >= spent(&last), "the budget empties");
            last = view;
        }
        assert_eq!(last["is_last"], true);
        // The `on_stop` hook has failed.
        assert_eq!(last["end"][0], 1, "{}", last["end"]);
        assert_eq!(last["stop"]["held_up_by"][0], "flush");
        let alive = last["past"].as_array().and_then(|past| past.last()).expect("now");
        assert_eq!(alive, &serde_json::json!([0, 0]), "{}", last["past"]);
        let hook = last["hooks"].as_array().expect("hooks").iter().find(|hook| hook["name"] == "close the pool");
        assert_eq!(hook.expect("the last hook")["progress"], "done");
        child.end().assert_code(1);
    }
}

#[test]
fn viewers_have_the_last_of_a_stop_that_the_deadline_ends() {
    let (mut child, address) = shown_as(Command::new(SHOWN).arg("current_thread").env("GRACEFUL_STOP_TIMEOUT", "1s"));
    let mut viewer = Viewer::new(address);
    child.tell("block");
    child.prints("it blocks");
    viewer.until(|view| view["blocked"][0].is_object());
    let told = child.terminate();
    let last = viewer.until(|view| view["is_last"] == true);
    assert_eq!(last["end"][0], 124);
    let notes = last["stop"]["notes"].to_string();
    assert!(notes.contains("at the abort: ") && notes.contains("blocking its thread (thread `main` for "), "{notes}");
    let end = child.end();
    end.assert_code(124);
    end.assert_gone_between(told, Duration::from_millis(900), Duration::from_millis(1500));
}

#[test]
fn a_mounted_page_ends_its_streams_when_its_stage_is_told() {
    let (child, address) = shown(SHOWN, &["multi_thread", "mounted"]);
    let mut viewer = Viewer::new(address);
    viewer.next().expect("the first one");
    let told = child.terminate();
    let last = viewer.until(|view| view["is_last"] == true);
    assert_eq!(last["end"], Value::Null, "more follows");
    assert!(viewer.next().is_none());
    wait_until_refused(address);
    // `flush` takes 2.5 s, hooks 0.7 s.
    child.end().assert_gone_between(told, Duration::from_secs(3), Duration::from_secs(6));
}

#[test]
fn a_viewer_who_does_not_read_delays_nobody() {
    let (mut child, address) = shown(SHOWN, &[]);
    let mut silent = connect(address);
    write!(silent, "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n").expect("it is sent");
    // And one who asks for nothing.
    let _mute = connect(address);
    let mut viewer = Viewer::new(address);
    for _ in 0..3 {
        let asked = Instant::now();
        viewer.next().expect("the next one");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
    let told = Instant::now();
    child.tell("stop");
    let last = viewer.until(|view| view["is_last"] == true);
    assert_eq!(last["end"][0], 1);
    child.end().assert_gone_between(told, Duration::from_secs(3), Duration::from_secs(6));
}
