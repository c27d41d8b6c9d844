#[graceful::worker]
const PORT: u16 = app::PORT;

#[graceful::main]
mod app {
    pub const PORT: u16 = 80;
}

#[graceful::worker]
pub struct Consumer(u16);

#[graceful::test]
trait Consume {
    async fn run(self);
}

#[graceful::worker]
impl Consume for Consumer {
    async fn run(self) {}
}

fn main() {
    drop(Consumer(PORT).run());
}
