use std::error::Error;

#[graceful::worker]
async fn consume() -> Result<(), Box<dyn Error>> {
    Ok("3".parse::<u8>().map(drop)?)
}

#[graceful::worker(blocking)]
fn crunch() -> Result<(), std::sync::Arc<dyn std::error::Error + 'static>> {
    Ok(())
}

fn main() {
    let _ = (consume().spawn(), crunch().spawn());
}
