struct Answer;

#[graceful::main]
async fn main() -> Answer {
    Answer
}
