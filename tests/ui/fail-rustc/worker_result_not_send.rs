type Aliased = Result<(), Box<dyn std::error::Error>>;

#[graceful::worker]
async fn aliased() -> Aliased {
    Ok(())
}

#[graceful::worker]
async fn pointer() -> Result<*const u8, String> {
    Err("none".to_owned())
}

#[graceful::worker(blocking)]
fn counted() -> Result<std::rc::Rc<u8>, String> {
    Err("none".to_owned())
}

fn main() {}
