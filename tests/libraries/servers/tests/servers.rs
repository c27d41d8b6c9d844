//! The rows of the page's section "Servers": each server as the page has it, and what its own way does.
#![cfg(unix)]

mod server;

use std::process::Command;

use libraries_servers::client::{connect, is_silent, wait_until_refused};
use libraries_servers::{Child, Signal};
use tungstenite::Message;

use self::server::{SECOND, Server, all_of, ends_with, is_answered, is_cut, is_served};

const ACTIX: &str = env!("CARGO_BIN_EXE_actix");
const ROCKET: &str = env!("CARGO_BIN_EXE_rocket");
const NTEX: &str = env!("CARGO_BIN_EXE_ntex");
const FRAMEWORKS: &str = env!("CARGO_BIN_EXE_frameworks");
const JSONRPC: &str = env!("CARGO_BIN_EXE_jsonrpc");

const DRAIN: &[(&str, &str)] = &[("GRACEFUL_DRAIN", "2s")];
const BUDGET: &[(&str, &str)] = &[("GRACEFUL_STOP_TIMEOUT", "3s")];

/// In the drain it serves others, and then it answers what is in hand.
fn drains_and_answers(program: &str, arguments: &[&str], path: &str) {
    let server = Server::with(program, arguments, DRAIN);
    let slow = server.ask(path);
    let asked = server.stop(Signal::SIGTERM);
    assert!(is_served(server.address), "the drain is no stop");
    is_answered(slow);
    let end = server.child.end();
    ends_with(&end, 0, asked, 8 * SECOND);
    end.assert_gone_between(asked, 2 * SECOND, 12 * SECOND);
}

/// At the signal it accepts nobody, drain or not.
fn ignores_the_drain(program: &str, arguments: &[&str], path: &str) -> Server {
    let server = Server::with(program, arguments, &[("GRACEFUL_DRAIN", "10s")]);
    let slow = server.ask(path);
    let asked = server.stop(Signal::SIGTERM);
    wait_until_refused(server.address);
    assert!(is_silent(&slow), "and a request is in hand");
    assert!(asked.elapsed() < 5 * SECOND, "the drain lasts for longer");
    server
}

// ----- actix-web -----

#[test]
fn actix_is_told_by_this_crate() {
    drains_and_answers(ACTIX, &["told"], "/slow");
    let server = Server::start(ACTIX, &["told"]);
    let slow = server.ask("/slow");
    let asked = server.stop(Signal::SIGINT);
    is_answered(slow);
    ends_with(&server.child.end(), 0, asked, SECOND);
}

#[test]
fn actix_by_itself_ignores_the_drain_and_cuts_at_sigint() {
    ignores_the_drain(ACTIX, &["alone"], "/slow").child.end().assert_code(0);
    let server = Server::start(ACTIX, &["alone"]);
    let slow = server.ask("/slow");
    let asked = server.stop(Signal::SIGINT);
    is_cut(slow);
    ends_with(&server.child.end(), 0, asked, SECOND);
}

/// Between `bind` and the first poll of its server actix does not listen for signals.
#[test]
fn an_early_signal_is_heard_by_actix_only_where_it_is_told() {
    let server = Server::with(ACTIX, &["told early"], BUDGET);
    server.child.end().assert_code(0);
    let server = Server::with(ACTIX, &["alone early"], BUDGET);
    server.child.end().assert_code(124);
}

#[test]
fn spawn_of_actix_takes_a_local_set_or_a_system() {
    let end = Child::start(Command::new(ACTIX).arg("spawn")).end_in_panic();
    end.assert_code(101);
    end.assert_said("LocalSet");
    for mode in ["spawn in a local set", "spawn in a system"] {
        let end = Child::start(Command::new(ACTIX).arg(mode)).end();
        end.assert_code(0);
        end.assert_printed("spawned");
    }
}

// ----- rocket -----

#[test]
fn rocket_is_told_by_this_crate() {
    drains_and_answers(ROCKET, &["told"], "/slow/3");
}

#[test]
fn rocket_by_itself_ignores_the_drain_and_cuts_with_code_1() {
    let server = ignores_the_drain(ROCKET, &["alone"], "/slow/8");
    server.child.end().assert_code(1);
}

/// The request ends after 1 s, and the stop takes the grace of 4 s.
#[test]
fn rocket_waits_its_whole_grace_for_one_request() {
    let server = Server::start(ROCKET, &["told"]);
    let slow = server.ask("/slow/1");
    let asked = server.stop(Signal::SIGTERM);
    is_answered(slow);
    let end = server.child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, 4 * SECOND, 7 * SECOND);
}

// ----- ntex -----

#[test]
fn ntex_is_told_by_this_crate() {
    drains_and_answers(NTEX, &["told"], "/slow");
    let server = Server::start(NTEX, &["told"]);
    let slow = server.ask("/slow");
    let asked = server.stop(Signal::SIGINT);
    is_answered(slow);
    ends_with(&server.child.end(), 0, asked, SECOND);
}

#[test]
fn ntex_by_itself_ignores_the_drain_and_cuts_at_sigint() {
    ignores_the_drain(NTEX, &["alone"], "/slow").child.end().assert_code(0);
    let server = Server::start(NTEX, &["alone"]);
    let slow = server.ask("/slow");
    let asked = server.stop(Signal::SIGINT);
    is_cut(slow);
    ends_with(&server.child.end(), 0, asked, SECOND);
}

#[test]
fn ntex_outside_its_system_panics() {
    let end = Child::start(Command::new(NTEX).arg("without a system")).end_in_panic();
    end.assert_code(101);
}

// ----- what http::serve serves -----

/// A request in hand is answered, and half a head costs half a second.
fn answers_and_waits_for_no_head(arguments: &[&str]) {
    let server = Server::start(FRAMEWORKS, arguments);
    let slow = server.ask("/slow");
    let half = server.send_half();
    let asked = server.stop(Signal::SIGTERM);
    is_answered(slow);
    is_cut(half);
    let end = server.child.end();
    ends_with(&end, 0, asked, SECOND);
    end.assert_said("cut off: 1 connection (reading the head of a request)");
}

#[test]
fn each_framework_that_is_served_by_this_crate_answers() {
    for name in ["warp", "poem", "axum-server", "hyper"] {
        answers_and_waits_for_no_head(&[name, "served"]);
    }
}

/// The answer comes, and half a head holds the stop up to its deadline.
#[test]
fn their_own_graceful_shutdown_waits_for_half_a_head() {
    for name in ["warp", "poem", "salvo", "axum-server", "hyper"] {
        let server = Server::with(FRAMEWORKS, &[name, "graceful"], BUDGET);
        let slow = server.ask("/slow");
        let half = server.send_half();
        server.stop(Signal::SIGTERM);
        is_answered(slow);
        let end = server.child.end();
        end.assert_code(124);
        drop(half);
    }
}

/// As browsers connect, to have a connection when they need one.
#[test]
fn a_client_that_has_sent_nothing_holds_salvo_to_the_deadline() {
    for (name, code) in [("salvo", 124), ("poem", 0)] {
        let server = Server::with(FRAMEWORKS, &[name, "graceful"], BUDGET);
        let silent = server.send("");
        // It was accepted after the other one.
        let slow = server.ask("/slow");
        server.stop(Signal::SIGTERM);
        is_answered(slow);
        server.child.end().assert_code(code);
        drop(silent);
    }
}

#[test]
fn their_own_time_out_cuts_with_code_0() {
    for arguments in [["poem", "limited"], ["salvo", "limited"], ["axum-server", "limited"]] {
        let server = Server::start(FRAMEWORKS, &arguments);
        let slow = server.ask("/slow");
        let asked = server.stop(Signal::SIGTERM);
        is_cut(slow);
        let end = server.child.end();
        ends_with(&end, 0, asked, SECOND);
        end.assert_silent_about("cut off");
    }
}

/// The layer cannot keep a server from cutting, but it says what was cut.
#[test]
fn a_time_out_is_named_where_the_app_has_the_layer() {
    let server = Server::start(FRAMEWORKS, &["axum-server", "limited and layered"]);
    let slow = server.ask("/slow");
    server.stop(Signal::SIGTERM);
    is_cut(slow);
    server.child.end().assert_said("cut off: 1 request (GET /slow)");
}

#[test]
fn salvo_without_a_time_out_answers() {
    let server = Server::start(FRAMEWORKS, &["salvo", "graceful"]);
    let slow = server.ask("/slow");
    let asked = server.stop(Signal::SIGTERM);
    is_answered(slow);
    ends_with(&server.child.end(), 0, asked, SECOND);
}

/// They accept until they are dropped, and nobody waits for what they have spawned.
#[test]
fn loops_without_a_graceful_shutdown_cut_with_code_0() {
    for arguments in [["warp", "dropped"], ["hyper", "dropped"]] {
        let server = Server::start(FRAMEWORKS, &arguments);
        let slow = server.ask("/slow");
        let asked = server.stop(Signal::SIGTERM);
        is_cut(slow);
        ends_with(&server.child.end(), 0, asked, SECOND);
    }
}

/// How many of two requests, each on a connection of its own, a limit of one lets in.
fn at_once(how: &str) -> usize {
    let server = Server::start(FRAMEWORKS, &["axum", how]);
    let first = server.ask("/slow");
    let second = server.send("GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n");
    // A third connection, on which nothing is limited, is answered after the second one was read.
    let third = server.send("GET /none HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(all_of(third).starts_with("HTTP/1.1 404 "));
    let in_hand = || server.child.to_string().matches("in hand").count();
    let begun = std::time::Instant::now();
    while in_hand() < 2 && begun.elapsed() < SECOND {
        std::thread::yield_now();
    }
    let count = in_hand();
    drop((first, second));
    count
}

#[test]
fn a_limit_of_requests_is_one_limit_where_this_crate_serves() {
    assert_eq!(at_once("served"), 1);
    assert_eq!(at_once("made"), 1);
    assert_eq!(at_once("alone"), 2, "one for each connection");
}

// ----- jsonrpsee -----

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"slow"}"#;

fn call(server: &Server) -> std::net::TcpStream {
    let length = CALL.len();
    let head = "content-type: application/json\r\n";
    let client =
        server.send(&format!("POST / HTTP/1.1\r\nhost: localhost\r\n{head}content-length: {length}\r\n\r\n{CALL}"));
    server.child.prints("in hand");
    client
}

#[test]
fn jsonrpsee_answers_where_it_is_awaited_or_served() {
    for how in ["served", "awaited"] {
        let server = Server::start(JSONRPC, &[how]);
        let client = call(&server);
        let asked = server.stop(Signal::SIGTERM);
        is_answered(client);
        ends_with(&server.child.end(), 0, asked, SECOND);
    }
}

#[test]
fn jsonrpsee_that_is_only_stopped_cuts_with_code_0() {
    let server = Server::start(JSONRPC, &["stopped"]);
    let client = call(&server);
    let asked = server.stop(Signal::SIGTERM);
    is_cut(client);
    ends_with(&server.child.end(), 0, asked, SECOND);
}

#[test]
fn a_call_over_a_websocket_is_answered_where_jsonrpsee_is_awaited_or_served() {
    for how in ["served", "awaited"] {
        let server = Server::start(JSONRPC, &[how]);
        let request = format!("ws://{}/", server.address);
        let (mut socket, _) = tungstenite::client(request, connect(server.address)).expect("the upgrade is granted");
        socket.send(Message::text(CALL)).expect("it is sent");
        server.child.prints("in hand");
        let asked = server.stop(Signal::SIGTERM);
        assert!(socket.read().expect("it is answered").to_string().contains("slow"));
        drop(socket);
        ends_with(&server.child.end(), 0, asked, SECOND);
    }
}
