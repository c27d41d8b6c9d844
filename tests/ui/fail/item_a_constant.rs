#[graceful::worker]
const PORT: u16 = 80;

fn main() {
    let _ = PORT;
}
