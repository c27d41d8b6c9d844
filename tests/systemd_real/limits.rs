//! Units whose memory or CPU is limited.

use std::time::{Duration, Instant};

use crate::host::{Host, Kind};
use crate::table::{Row, skip_here};

pub(crate) const ROWS: &[Row] = &[
    Row { claim: "MemoryMax=: what was said before the kernel kills it remains", run: memory },
    Row { claim: "MemoryMax=: systemd knows why it is gone, Result=oom-kill", run: oom_kill },
    Row { claim: "CPUQuota=5%: a stop ends in good order", run: little_cpu },
    Row { claim: "CPUQuota=5%: workers that spin are named, and the deadline holds", run: little_cpu_and_spinning },
];

fn memory(host: &Host) {
    let unit = host.service("glutton", "eats", &["MemoryMax=40M", "MemorySwapMax=0"]);
    unit.start();
    unit.stop();
    unit.is(&[("ExecMainCode", "2"), ("ExecMainStatus", "9")]);
    unit.said("still waiting for: glutton (1 s)", 4);
}

fn oom_kill(host: &Host) {
    if host.kind == Kind::Hybrid {
        skip_here("the memory controller is in a hierarchy of the old kind, where systemd does not learn why");
    }
    let unit = host.service("known-glutton", "eats", &["MemoryMax=40M", "MemorySwapMax=0"]);
    unit.start();
    unit.stop();
    unit.is(&[("Result", "oom-kill"), ("ExecMainCode", "2"), ("ExecMainStatus", "9")]);
}

fn little_cpu(host: &Host) {
    let unit = host.service("throttled", "lingers", &["CPUQuota=5%"]);
    unit.start();
    let took = unit.stop();
    unit.ended_well();
    assert!(took.as_secs_f64() < 4.0, "{took:?}");
}

fn little_cpu_and_spinning(host: &Host) {
    let lines = ["CPUQuota=5%", "Environment=GRACEFUL_STOP_TIMEOUT=2s"];
    let unit = host.service("throttled-and-spinning", "spins", &lines);
    unit.start();
    let begun = Instant::now();
    unit.begin_stop();
    unit.says("still waiting for: ");
    // Two that spin take more than that in a second, on a busy machine too, unless they are held back.
    let used = host.cpu_of(&unit);
    assert!(used < Duration::from_millis(250), "{used:?}");
    unit.until_it_is("failed");
    let took = begun.elapsed();
    unit.ended("exit-code", 124);
    assert!((1.5..5.0).contains(&took.as_secs_f64()), "{took:?}");
    unit.said("spinner (tests/children/managed.rs:", 3);
    unit.said("exit code 124: out of time", 3);
}
