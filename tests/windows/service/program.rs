//! The service of the tests: `service <name> <case>`, with the module of the example `windows_service`.

#[cfg(windows)]
#[path = "../../../examples/windows_service/service.rs"]
mod service;

#[cfg(windows)]
fn main() -> std::process::ExitCode {
    let name = std::env::args().nth(1).expect("a name");
    let case = std::env::args().nth(2).expect("a case");
    let program =
        if case == "blocks_the_only_thread" { on_one_thread::main as fn() -> _ } else { on_two_threads::main };
    service::run(name.leak(), program)
}

#[cfg(not(windows))]
fn main() {}

#[cfg(windows)]
mod on_two_threads {
    #[graceful::main(name = "service", stop_timeout = "1s", worker_threads = 1)]
    pub(crate) async fn main() -> Result<(), &'static str> {
        crate::program::run().await
    }
}

#[cfg(windows)]
mod on_one_thread {
    #[graceful::main(name = "service", stop_timeout = "1s", flavor = "current_thread")]
    pub(crate) async fn main() -> Result<(), &'static str> {
        crate::program::run().await
    }
}

#[cfg(windows)]
mod program {
    use std::time::Duration;

    use tokio::time::sleep;

    /// Much longer than any test waits.
    const LONG: Duration = Duration::from_secs(60);

    pub(crate) async fn run() -> Result<(), &'static str> {
        let case = std::env::args().nth(2).expect("a case");
        crate::service::tell().spawn();
        match case.as_str() {
            "starts_slowly" => sleep(Duration::from_millis(1500)).await,
            "fails_to_start" => return Err("no route to host"),
            "fails" => drop(graceful::spawn("fails", async { Err::<(), _>("the disk is full") })),
            "blocks" | "blocks_the_only_thread" => drop(graceful::spawn("blocks", async {
                graceful::stopping().await;
                std::thread::sleep(LONG);
            })),
            other => panic!("no case {other}"),
        }
        graceful::ready();
        graceful::stopping().await;
        Ok(())
    }
}
