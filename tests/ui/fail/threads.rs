#[graceful::main(flavor = "multi-thread")]
async fn of_an_unknown_flavor() {}

#[graceful::main(worker_threads = 0)]
async fn none() {}

#[graceful::main(flavor = "current_thread", worker_threads = 2)]
async fn many_in_one() {}

#[graceful::test(worker_threads = 2)]
async fn many_in_a_test() {}

#[graceful::test(start_paused, flavor = "multi_thread")]
async fn many_with_one_clock() {}

fn main() {}
