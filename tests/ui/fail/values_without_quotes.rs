#[graceful::worker(stop = early, stop_timeout = 5s)]
async fn consume() {}

#[graceful::main(flavor = current_thread, signals = [SIGTERM, Signal::Interrupt], dump = SIGUSR1)]
async fn main() {
    consume().spawn();
}
