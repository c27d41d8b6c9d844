#[graceful::worker(crate = gracefull)]
async fn consume() {}

fn main() {}
