fn main() {
    graceful::spawn(async {});
    graceful::on_stop(|| async {});
}
