#[graceful::main]
mod app {
    pub const PORT: u16 = 80;
}

fn main() {
    let _ = app::PORT;
}
