use std::borrow::Cow;

#[graceful::worker]
async fn consume(topic: Cow<'_, str>, done: Box<dyn FnOnce(&str) + Send + '_>) {
    done(&topic);
}

fn main() {}
