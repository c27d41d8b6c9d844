//! How a process can end: `ends <case>`. A worker in it drains until a line comes on standard input.

use std::env::args;
use std::future::pending;
use std::process::ExitCode;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};

fn main() -> ExitCode {
    match args().nth(1).expect("a case").as_str() {
        "worker_fails" => worker_fails::main(),
        "worker_panics" => worker_panics::main(),
        "worker_panics_in_a_destructor" => worker_panics_in_a_destructor::main(),
        "worker_panics_as_it_goes" => worker_panics_as_it_goes::main(),
        "worker_exits" => worker_exits::main(),
        "main_panics" => main_panics::main(),
        "main_panics_with_a_result_in_hand" => main_panics_with_a_result_in_hand::main(),
        "main_fails" => main_fails::main(),
        "main_gives_a_code" => main_gives_a_code::main(),
        "main_gives_a_code_and_leaves_one_stuck" => main_gives_a_code_and_leaves_one_stuck::main(),
        "main_returns" => main_returns::main(),
        "main_returns_alone" => main_returns_alone::main(),
        other => panic!("no case {other}"),
    }
}

#[graceful::worker]
async fn drain() {
    println!("draining: ready");
    graceful::stopping().await;
    let mut line = String::new();
    let _ = BufReader::new(stdin()).read_line(&mut line).await;
    println!("drained");
}

/// Panics when it is dropped.
struct Connection;

impl Drop for Connection {
    fn drop(&mut self) {
        panic!("the connection was open");
    }
}

mod worker_fails {
    #[graceful::main]
    pub(crate) async fn main() {
        super::drain().spawn();
        fetch().spawn();
        graceful::stopping().await;
        println!("main saw the stop");
    }

    #[graceful::worker]
    async fn fetch() -> Result<(), String> {
        Err("no route to host".to_owned())
    }
}

mod worker_panics {
    #[graceful::main]
    pub(crate) async fn main() {
        super::drain().spawn();
        fetch().spawn();
        graceful::stopping().await;
        println!("main saw the stop");
    }

    #[graceful::worker]
    async fn fetch() {
        panic!("no route to host");
    }
}

mod worker_panics_in_a_destructor {
    #[graceful::main]
    pub(crate) async fn main() {
        super::drain().spawn();
        fetch().spawn();
        graceful::stopping().await;
        println!("main saw the stop");
    }

    #[graceful::worker]
    async fn fetch() -> Result<super::Connection, String> {
        Ok(super::Connection)
    }
}

mod worker_panics_as_it_goes {
    #[graceful::main]
    pub(crate) async fn main() {
        super::drain().spawn();
        fetch(super::Connection).spawn();
        graceful::stopping().await;
        println!("main saw the stop");
    }

    #[graceful::worker]
    async fn fetch(_connection: super::Connection) {
        tokio::task::yield_now().await;
    }
}

mod worker_exits {
    #[graceful::main]
    pub(crate) async fn main() {
        super::drain().spawn();
        graceful::spawn("fetch", async { std::process::exit(5) });
        graceful::stopping().await;
    }
}

mod main_panics {
    #[graceful::main]
    pub(crate) async fn main() {
        super::drain().spawn();
        tokio::task::yield_now().await;
        panic!("out of luck");
    }
}

mod main_panics_with_a_result_in_hand {
    #[graceful::main]
    pub(crate) async fn main() {
        super::drain().spawn();
        let fetched = graceful::spawn("fetch", async { Ok::<_, ()>("text".to_owned()) });
        while !fetched.is_finished() {
            tokio::task::yield_now().await;
        }
        panic!("out of luck");
    }
}

mod main_fails {
    #[graceful::main]
    pub(crate) async fn main() -> Result<(), String> {
        super::drain().spawn();
        Err("out of luck".to_owned())
    }
}

mod main_gives_a_code {
    use std::process::ExitCode;

    #[graceful::main]
    pub(crate) async fn main() -> ExitCode {
        super::drain().spawn();
        ExitCode::from(7)
    }
}

mod main_gives_a_code_and_leaves_one_stuck {
    use std::process::ExitCode;

    #[graceful::main(stop_timeout = "200ms")]
    pub(crate) async fn main() -> ExitCode {
        graceful::spawn("upload", super::pending::<()>());
        ExitCode::from(7)
    }
}

mod main_returns {
    #[graceful::main]
    pub(crate) async fn main() {
        super::drain().spawn();
        println!("main returned");
    }
}

mod main_returns_alone {
    #[graceful::main]
    pub(crate) async fn main() {
        println!("main returned");
    }
}
