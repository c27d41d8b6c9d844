struct Broken;

#[graceful::main]
async fn main() -> Result<(), Broken> {
    Err(Broken)
}
