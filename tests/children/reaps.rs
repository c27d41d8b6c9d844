//! Zombies, of a process that inherits orphans: as PID 1 of a namespace, or as a subreaper in one.

use std::env;
use std::fs;
use std::process::{self, Child, Command, ExitCode, Stdio};
use std::time::Duration;

use graceful::{Builder, ChildError, WorkerError};
use nix::sys::prctl::set_child_subreaper;
use tokio::time::sleep;

fn main() -> ExitCode {
    let words: Vec<_> = env::args().skip(1).collect();
    let has = |word| words.iter().any(|it| it == word);
    if has("subreaper") {
        set_child_subreaper(true).expect("it becomes a subreaper");
    }
    let mut builder = Builder::new();
    if has("reap") {
        builder = builder.reap();
    }
    if has("threads") {
        std::thread::spawn(|| std::thread::sleep(Duration::from_secs(10)));
    }
    let case = words.first().cloned().unwrap_or_default();
    builder.block_on(async move {
        match &*case {
            "orphans" => among_orphans().await,
            "kill" => after_a_kill().await,
            "end" => after_an_end().await,
            other => panic!("no case {other}"),
        }
    })
}

/// Children of its own that end before they are waited for, and twenty orphans that end meanwhile.
async fn among_orphans() {
    let mut own: Vec<Child> = (1..=5).map(|code| start(&format!("exit {code}"))).collect();
    let mut of_tokio = tokio::process::Command::from(shell("exit 6")).spawn().expect("there is a shell");
    for _ in 0..20 {
        // The shell ends at once, and what it has started is an orphan in a session of its own.
        let status = start("setsid sleep 0.2 & setsid sh -c 'sleep 0.1; exit 9' &").wait();
        assert!(status.expect("nobody else reaps it").success());
    }
    println!("living orphans: {}", others(|state| !"ZX".contains(state)) > 0);
    // Long after each of them has ended.
    sleep(Duration::from_secs(2)).await;
    println!("zombies: {}", others(|state| state == "Z"));
    let codes = own.iter_mut().map(|child| child.wait().expect("nobody else reaps it").code());
    println!("codes: {:?}", codes.flatten().collect::<Vec<_>>());
    let status = of_tokio.wait().await.expect("nobody else reaps it");
    println!("code of tokio's: {:?}", status.code());
}

/// A child that has started three others is aborted.
async fn after_a_kill() {
    let script = "sleep 40 & sleep 41 & sleep 42 & echo started; wait";
    for _ in 0..3 {
        let child = graceful::child("group", shell(script)).spawn();
        while others(|state| state == "S") < 4 {
            sleep(Duration::from_millis(10)).await;
        }
        child.abort();
        assert!(matches!(child.await, Err(WorkerError::<ChildError>::Aborted)));
    }
    let mut zombies = usize::MAX;
    for _ in 0..30 {
        zombies = others(|state| state == "Z");
        if zombies == 0 {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    println!("zombies: {zombies}");
}

/// A child that leaves three others behind when it ends.
async fn after_an_end() {
    let status = graceful::child("group", shell("sleep 40 & sleep 41 & sleep 42 & exit 0")).await;
    assert!(status.is_ok_and(|status| status.success()));
    println!("others: {}", others(|_| true));
}

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).stdin(Stdio::null());
    shell
}

fn start(script: &str) -> Child {
    shell(script).spawn().expect("there is a shell")
}

/// How many processes of its namespace are in such a state, besides itself and PID 1.
fn others(is_it: impl Fn(&str) -> bool) -> usize {
    let processes = fs::read_dir("/proc").expect("this is Linux").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let others = ids.filter(|&id| id != process::id() && id != 1);
    let stats = others.filter_map(|id| fs::read_to_string(format!("/proc/{id}/stat")).ok());
    // `4711 (a name) S …`: the state. The name can be anything.
    stats.filter(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| is_it(&rest[..1]))).count()
}
