//! The lifecycles that a case can be run in. The budget is 500 ms.

use std::process::{ExitCode, Termination};
use std::thread::{self, available_parallelism};
use std::time::Duration;

/// Runs the case named on the command line.
pub(crate) fn run(name: &str) -> ExitCode {
    match name {
        "current_thread" => current_thread::main(),
        "multi_thread" => multi_thread::main(),
        "two_threads" => two_threads::main(),
        "crowd" => crowd::main(),
        "draining" => draining::main(),
        "many_signals" => many_signals::main(),
        "for_ever" => for_ever::main(),
        "reraising" => reraising::main(),
        "reraising_on_one_thread" => reraising_on_one_thread::main(),
        "slow_to_build" => slow_to_build(),
        "huge_threads" => huge_threads(),
        "slow_to_tell" => slow_to_tell(),
        other => panic!("no runtime {other}"),
    }
}

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

/// Serves on for a while after it was asked to stop.
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
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).thread_name_fn(|| {
        println!("runtime entered");
        crate::signals::wait_for_a_line();
        "slow".to_owned()
    });
    graceful::Builder::new()
        .runtime(runtime)
        .block_on(crate::case())
}

/// No system has memory for its threads.
fn huge_threads() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.thread_stack_size(1 << 60);
    let code = graceful::Builder::new()
        .runtime(runtime)
        .block_on(crate::case());
    // Long enough for whoever would end the process in between.
    thread::sleep(Duration::from_millis(50));
    println!("after the lifecycle");
    code
}

/// Its main ends at once, and what it comes to takes a moment.
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

/// More threads than the machine can run at once.
pub(crate) fn four_per_core() -> usize {
    4 * available_parallelism().map_or(2, usize::from)
}
