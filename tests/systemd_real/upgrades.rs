//! `systemctl reload` as an upgrade in place.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::example::Clients;
use crate::host::{Host, Unit};
use crate::table::{Row, skip_here};

pub(crate) const ROWS: &[Row] = &[
    Row { claim: "upgrade: systemctl reload in a loop, and the unit never leaves active", run: reloads },
    Row { claim: "upgrade: the same with Type=notify-reload, which waits for each", run: reloads_and_waits },
    Row { claim: "upgrade: the new process feeds the watchdog, and a failed one changes nothing", run: fails },
    Row { claim: "upgrade: a stop meanwhile leaves nothing behind", run: stops },
];

/// How often it is upgraded.
const UPGRADES: usize = 10;

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

/// Asks for an upgrade, and waits until another process is the main one.
fn upgrade(host: &Host, unit: &Unit<'_>, name: &str) {
    let before = unit.show("MainPID");
    host.systemctl(&["reload", name]);
    unit.until("MainPID", |now| now != before && now != "0");
    unit.until("SubState", |state| state == "running");
}

fn reloads(host: &Host) {
    let port = port();
    let lines = ["ExecReload=/bin/kill -USR2 $MAINPID", "WatchdogSec=2"];
    let unit = host.service("upgraded", &format!("name=web upgrade web={port}"), &lines);
    under_load(host, &unit, "upgraded.service", port);
}

fn reloads_and_waits(host: &Host) {
    if host.version() < 253 {
        skip_here("Type=notify-reload came with systemd 253");
    }
    let port = port();
    let lines = ["Type=notify-reload", "ReloadSignal=SIGUSR2"];
    let unit = host.service("reloaded", &format!("name=web upgrade web={port}"), &lines);
    under_load(host, &unit, "reloaded.service", port);
}

fn under_load(host: &Host, unit: &Unit<'_>, name: &str, port: u16) {
    unit.start();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let clients = Clients::default();
    scope(|scope| {
        for (keeps, pause) in [(true, 5), (true, 40), (false, 5), (false, 5)] {
            let clients = &clients;
            scope.spawn(move || clients.ask(address, keeps, Duration::from_millis(pause)));
        }
        let watched = scope.spawn(|| {
            let mut seen = Vec::new();
            while !clients.are_done.load(Ordering::Relaxed) {
                let state = unit.show("ActiveState");
                if !seen.contains(&state) {
                    seen.push(state);
                }
                sleep(Duration::from_millis(5));
            }
            seen
        });
        let done = Done(&clients);
        for _ in 0..UPGRADES {
            let before = clients.answered.load(Ordering::Relaxed);
            upgrade(host, unit, name);
            sleep(Duration::from_millis(100));
            assert!(clients.answered.load(Ordering::Relaxed) > before, "no client was at work");
        }
        drop(done);
        for state in watched.join().expect("it does not panic") {
            // `reloading` is what systemctl shows of an active unit that reloads.
            assert!(["active", "reloading"].contains(&&*state), "it was {state}");
        }
    });
    let (answered, lost) = (clients.answered.into_inner(), clients.lost.into_inner());
    assert_eq!(lost, 0, "of {}", answered + lost);
    unit.is(&[("ActiveState", "active"), ("NRestarts", "0")]);
    unit.until("TasksCurrent", |_| host.processes_of(unit) == 1);
    unit.stop();
    unit.ended_well();
    // It was given its time.
    assert_eq!(unit.journal().iter().filter(|entry| entry.text.contains("lingered")).count(), UPGRADES + 1);
    let generation = UPGRADES + 1;
    unit.said(&format!("graceful[web#{generation}]: stopping: SIGTERM"), 6);
    unit.said(&format!("graceful[web#{UPGRADES}]: upgrade done: generation {generation}, process "), 6);
}

/// The clients end, whatever happens.
struct Done<'a>(&'a Clients);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.are_done.store(true, Ordering::Relaxed);
    }
}

fn fails(host: &Host) {
    let port = port();
    let lines = ["ExecReload=/bin/kill -USR2 $MAINPID", "WatchdogSec=1"];
    let unit = host.service("broken-upgrade", &format!("upgrade web={port}"), &lines);
    unit.start();
    upgrade(host, &unit, "broken-upgrade.service");
    let main = unit.show("MainPID");
    let broken = host.out.join(format!("broken-{port}"));
    fs::write(&broken, "").expect("it can be written");
    host.systemctl(&["reload", "broken-upgrade.service"]);
    unit.says(
        "upgrade failed: the new process ended before it was ready: exit code 1: Error: Broken; this process goes on",
    );
    unit.until("SubState", |state| state == "running");
    assert_eq!(unit.show("MainPID"), main);
    unit.until("StatusText", |text| text.starts_with("upgrade failed: "));
    // Three times what the watchdog allows.
    sleep(Duration::from_secs(3));
    unit.is(&[("ActiveState", "active"), ("NRestarts", "0"), ("MainPID", &main)]);
    fs::remove_file(broken).expect("it is there");
    upgrade(host, &unit, "broken-upgrade.service");
    unit.until("TasksCurrent", |_| host.processes_of(&unit) == 1);
    unit.stop();
    unit.ended_well();
}

fn stops(host: &Host) {
    let port = port();
    let lines = ["ExecReload=/bin/kill -USR2 $MAINPID"];
    for round in 0..5 {
        let name = format!("stopped-{round}");
        let unit = host.service(&name, &format!("upgrade web={port}"), &lines);
        unit.start();
        host.systemctl(&["reload", &format!("{name}.service")]);
        sleep(Duration::from_millis(10 * round));
        unit.stop();
        // How the last process has ended systemd may not know, if that was the child of another one to its end.
        unit.is(&[("ActiveState", "inactive"), ("Result", "success"), ("NRestarts", "0")]);
        assert_eq!(host.processes_of(&unit), 0);
        TcpListener::bind(("127.0.0.1", port)).expect("nobody has the port");
    }
}
