#[graceful::main(crate = gracefull, stop_timeout = "5s", signals = ["SIGTERM"], dump = "SIGUSR1")]
async fn main() {
    consume().spawn();
}

#[graceful::worker(crate = gracefull, stop = "early", on_failure = "log")]
async fn consume() {}

#[graceful::worker(crate = missing::graceful, blocking, every = "1s")]
fn crunch(_: u8) -> Result<(), String> {
    Ok(())
}

/// Types of the same names as those that an expansion uses.
mod types {
    pub struct Builder;
    pub struct ErrorOf;
    pub struct Function;
    pub struct OnFailure;
    pub struct Signal;
    pub struct Stage;
    pub struct Worker;
}
