//! A service of Windows: a stop by the service control manager is a graceful one, and the manager is told how long it may
//! take. In a console the same program ends with Ctrl-C.
//!
//! ```text
//! sc create graceful-example binPath= "C:\Program Files\Example\windows_service.exe"
//! sc failureflag graceful-example 1
//! sc failure graceful-example reset= 60 actions= restart/1000
//! net start graceful-example
//! net stop graceful-example
//! ```

#[cfg(windows)]
mod program;
#[cfg(windows)]
mod service;

#[cfg(windows)]
fn main() -> std::process::ExitCode {
    service::run("graceful-example", program::main)
}

#[cfg(not(windows))]
fn main() {
    eprintln!("this example is for Windows; elsewhere take `http`, which is a service of systemd's");
}
