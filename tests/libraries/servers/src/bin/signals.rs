//! Other code that wants the signals as well.

use std::env;
use std::thread;

use nix::sys::signal::{SigHandler, Signal, signal};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use tokio::signal::unix::SignalKind;

#[graceful::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match env::args().nth(1).as_deref() {
        Some("tokio") => {
            let mut terminated = tokio::signal::unix::signal(SignalKind::terminate())?;
            graceful::ready();
            println!("ready");
            terminated.recv().await;
            println!("heard");
            graceful::stopping().await;
        }
        Some("signal-hook") => {
            let mut signals = Signals::new([SIGTERM])?;
            let heard = thread::spawn(move || signals.forever().next());
            graceful::ready();
            println!("ready");
            graceful::stopping().await;
            if heard.join().is_ok_and(|signal| signal == Some(SIGTERM)) {
                println!("heard");
            }
        }
        Some("ctrlc") => {
            ctrlc::set_handler(|| println!("heard"))?;
            graceful::ready();
            println!("ready");
            graceful::stopping().await;
        }
        Some("ctrlc that stops") => {
            ctrlc::set_handler(graceful::stop)?;
            graceful::ready();
            println!("ready");
            graceful::stopping().await;
            println!("heard");
        }
        Some("default") => {
            // SAFETY: nothing is called at the signal.
            unsafe { signal(Signal::SIGTERM, SigHandler::SigDfl) }?;
            println!("ready");
            graceful::stopping().await;
        }
        other => panic!("what is {other:?}?"),
    }
    Ok(())
}
