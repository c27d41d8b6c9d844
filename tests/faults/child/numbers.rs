//! Very many, and very few.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::runtimes::four_per_core;
use crate::{Ending, stuck, up};

/// The workers of the case `million`.
const MILLION: u32 = 1_000_000;

/// How many of them have begun to wait, and how many have ended.
static PARKED: AtomicU32 = AtomicU32::new(0);
static DONE: AtomicU32 = AtomicU32::new(0);

pub(crate) async fn run(case: &str) -> Ending {
    match case {
        "million" => {
            for _ in 0..MILLION {
                parked().spawn();
            }
            while PARKED.load(Ordering::Relaxed) < MILLION {
                tokio::task::yield_now().await;
            }
            graceful::after_stop("count", || async {
                println!("joined: {}", DONE.load(Ordering::Relaxed));
            });
            up().await
        }
        "crowd" => {
            stuck::spin_on(four_per_core());
            graceful::stopping().await;
            Ok(ExitCode::SUCCESS)
        }
        other => panic!("no case {other}"),
    }
}

#[graceful::worker]
async fn parked() {
    PARKED.fetch_add(1, Ordering::Relaxed);
    graceful::stopping().await;
    DONE.fetch_add(1, Ordering::Relaxed);
}
