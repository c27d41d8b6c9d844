#[graceful::main]
const async unsafe extern "C" fn main<T: Default>(port: u16) {
    drop((T::default(), port));
}

mod condition {
    #[graceful::main]
    async fn main()
    where
        u8: Copy,
    {
    }
}

mod declaration {
    #[graceful::main]
    async fn main();
}

struct App;

impl App {
    #[graceful::main]
    async fn method(&self) {}
}

fn call() {
    App.method();
}
