//! The hooks of the program.

use std::future::pending;
use std::thread;
use std::time::Duration;

use tokio::time::sleep;

use crate::program;
use crate::program::{Hook, HookEnd, Moment, When};
use crate::say::say;

/// How long one blocks its thread: longer than any budget.
const LONG: Duration = Duration::from_millis(1500);

pub(crate) fn register(when: When) {
    for hook in program().hooks.iter().filter(|hook| hook.when == when) {
        let name = format!("h{}", hook.id);
        say(&name, "registered");
        match hook.moment {
            Moment::Before => graceful::before_stop(&name, move || run(hook)),
            Moment::On => graceful::on_stop(&name, move || run(hook)),
            Moment::After => graceful::after_stop(&name, move || run(hook)),
        }
    }
}

async fn run(hook: &'static Hook) -> Result<(), String> {
    let who = format!("h{}", hook.id);
    say(&who, "begun");
    sleep(Duration::from_millis(hook.takes)).await;
    match hook.end {
        HookEnd::Hang => pending().await,
        HookEnd::Block => {
            say(&who, "blocks");
            thread::sleep(LONG);
        }
        _ => {}
    }
    say(&who, format_args!("ends {}", hook.end));
    match hook.end {
        HookEnd::Err => Err(format!("error of {who}")),
        HookEnd::Panic => panic!("panic of {who}"),
        _ => Ok(()),
    }
}
