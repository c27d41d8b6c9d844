#[graceful::worker]
async fn reference(topic: &str, rest: Option<&mut [u8]>) -> Result<(), String> {
    drop((topic, rest));
    Ok(())
}

#[graceful::worker]
async fn lifetime<'a>(topic: &'a str) -> Result<&'a str, String> {
    Ok(topic)
}

#[graceful::worker]
async fn within_a_type(topic: std::borrow::Cow<'_, str>, done: Box<dyn FnOnce(&str) + Send + '_>) {
    done(&topic);
}

fn main() {
    let topic = String::new();
    let _ = (reference(&topic, None).spawn(), lifetime(&topic).spawn());
}
