#[graceful::main(stop_timeout = 25)]
async fn number() {}

#[graceful::main(stop_timeout = "25")]
async fn without_a_unit() {}

#[graceful::main(stop_timeout = "25 seconds")]
async fn with_an_unknown_unit() {}

#[graceful::main(stop_timeout = "1.5s")]
async fn with_a_fraction() {}

#[graceful::main(stop_timeout = "99999999999999999999s")]
async fn too_long() {}

#[graceful::main(stop_timeout = "")]
async fn main() {}

#[graceful::main(drain = "none")]
async fn without_a_drain() {}

#[graceful::worker(stop_timeout = "none", every = "none")]
async fn without_a_budget_of_its_own() {}
