#[graceful::main(reraise = "yes", name = "", crate = "not a path")]
async fn main() {
    named().spawn();
    staged().spawn();
    failing().spawn();
    refused().spawn();
}

#[graceful::worker(name = 3)]
async fn named() {}

#[graceful::worker(stop = "first")]
async fn staged() {}

#[graceful::worker(on_failure = "restrat")]
async fn failing() {}

#[graceful::worker(when_stopping = "reject")]
async fn refused() {}

#[graceful::worker(stop = "main")]
async fn with_main() {}
