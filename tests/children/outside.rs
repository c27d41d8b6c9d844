//! What needs a lifecycle, called without one: `outside <case>`. Prints where.

use std::env::args;
use std::future::ready;

fn main() {
    match args().nth(1).expect("a case").as_str() {
        "worker" => {
            println!("{}:{}", file!(), line!() + 1);
            consume().spawn();
        }
        "spawn" => {
            println!("{}:{}", file!(), line!() + 1);
            graceful::spawn("consume", ready(()));
        }
        "spawn_blocking" => {
            println!("{}:{}", file!(), line!() + 1);
            graceful::spawn_blocking("consume", || ());
        }
        "stop" => {
            println!("{}:{}", file!(), line!() + 1);
            graceful::stop();
        }
        "keep" => {
            println!("{}:{}", file!(), line!() + 1);
            graceful::keep(());
        }
        other => panic!("no case {other}"),
    }
}

#[graceful::worker]
async fn consume() {}
