//! The lifecycles that a case can be run in. The budget is 500 ms.

use std::panic;
use std::process::{ExitCode, Termination};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use graceful::WorkerHandle;
use tokio::runtime::Builder;

/// Runs the case named on the command line.
pub(crate) fn run(name: &str) -> ExitCode {
    match name {
        "current_thread" => current_thread::main(),
        "multi_thread" => multi_thread::main(),
        "two_threads" => two_threads::main(),
        "crowd" => crowd::main(),
        "draining" => draining::main(),
        "many_signals" => many_signals::main(),
        "with_usr1" => with_usr1::main(),
        "for_ever" => for_ever::main(),
        "reraising" => reraising::main(),
        "reraising_on_one_thread" => reraising_on_one_thread::main(),
        "slow_to_build" => slow_to_build(),
        "huge_threads" => huge_threads(),
        "slow_to_tell" => slow_to_tell(),
        "eager_thread" => beside(spawn_from_a_thread),
        "eager_runtime" => beside(spawn_from_a_task),
        "long_name" => graceful::Builder::new().stop_timeout(BUDGET).name("x".repeat(2500)).block_on(crate::case()),
        "names_of_many_lines" => names_of_many_lines(),
        other => panic!("no runtime {other}"),
    }
}

const BUDGET: Duration = Duration::from_millis(500);

mod current_thread {
    #[graceful::main(stop_timeout = "500ms", flavor = "current_thread")]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

/// Main's thread, and one for tasks.
mod multi_thread {
    #[graceful::main(stop_timeout = "500ms", worker_threads = 1)]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

mod two_threads {
    #[graceful::main(stop_timeout = "500ms", worker_threads = 2)]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

mod crowd {
    #[graceful::main(stop_timeout = "500ms", worker_threads = super::four_per_core())]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

/// Keeps serving for a while after it was asked to stop.
mod draining {
    #[graceful::main(stop_timeout = "500ms", drain = "150ms", worker_threads = 1)]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

/// Stops for more signals than usual.
mod many_signals {
    #[graceful::main(
        stop_timeout = "500ms",
        signals = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"],
        worker_threads = 1
    )]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

/// Stops for one more signal, which few others handle.
mod with_usr1 {
    #[graceful::main(stop_timeout = "500ms", signals = ["SIGTERM", "SIGINT", "SIGUSR1"], worker_threads = 1)]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

/// With a budget that the clock cannot count.
mod for_ever {
    #[graceful::main(stop_timeout = std::time::Duration::MAX, worker_threads = 1)]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

mod reraising {
    #[graceful::main(stop_timeout = "500ms", reraise, worker_threads = 1)]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

mod reraising_on_one_thread {
    #[graceful::main(stop_timeout = "500ms", reraise, flavor = "current_thread")]
    pub(crate) async fn main() -> crate::Ending {
        crate::case().await
    }
}

/// Still being built when a line comes on standard input: tokio asks for a thread's name as it starts it.
fn slow_to_build() -> ExitCode {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(1).thread_name_fn(|| {
        println!("runtime entered");
        crate::signals::wait_for_a_line();
        "slow".to_owned()
    });
    graceful::Builder::new().runtime(runtime).block_on(crate::case())
}

/// No system has memory for its threads.
fn huge_threads() -> ExitCode {
    let mut runtime = Builder::new_multi_thread();
    runtime.thread_stack_size(1 << 60);
    let code = graceful::Builder::new().runtime(runtime).block_on(crate::case());
    // Long enough for any thread that would end the process in between.
    thread::sleep(Duration::from_millis(50));
    println!("after the lifecycle");
    code
}

/// Its main ends at once, and turning the result into an exit code takes a moment.
fn slow_to_tell() -> ExitCode {
    struct Told;

    impl Termination for Told {
        fn report(self) -> ExitCode {
            thread::sleep(Duration::from_millis(5));
            ExitCode::SUCCESS
        }
    }

    graceful::Builder::new().block_on(async { Told })
}

fn names_of_many_lines() -> ExitCode {
    let mut runtime = Builder::new_multi_thread();
    runtime.enable_all().worker_threads(1).thread_name("a line\n".repeat(200));
    graceful::Builder::new().stop_timeout(BUDGET).runtime(runtime).block_on(crate::case())
}

/// Beside a thread that was there before, whose panics are not failures of the process.
fn beside(eager: fn()) -> ExitCode {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() != Some("eager") {
            before(info);
        }
    }));
    let thread = thread::Builder::new().name("eager".to_owned());
    thread.spawn(eager).expect("a thread");
    let mut runtime = Builder::new_multi_thread();
    runtime.enable_all().worker_threads(1).thread_name_fn(|| {
        thread::sleep(Duration::from_millis(50));
        "slow".to_owned()
    });
    graceful::Builder::new().runtime(runtime).block_on(crate::case())
}

fn spawn_from_a_thread() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let worker = loop {
        if let Some(worker) = try_to_spawn() {
            break worker;
        }
    };
    println!("eager worker ended: {:?}", runtime.block_on(worker));
}

fn spawn_from_a_task() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let worker = loop {
            if let Some(worker) = try_to_spawn() {
                break worker;
            }
            tokio::task::yield_now().await;
        };
        println!("eager worker ended: {:?}", worker.await);
    });
}

/// `None` after the panic outside any lifecycle.
fn try_to_spawn() -> Option<WorkerHandle<()>> {
    let spawn = || {
        graceful::spawn("eager", async {
            println!("eager worker on {}", thread::current().name().unwrap_or_default());
        })
    };
    panic::catch_unwind(spawn).ok()
}

/// More threads than the machine can run at once.
pub(crate) fn four_per_core() -> usize {
    4 * available_parallelism().map_or(2, usize::from)
}
