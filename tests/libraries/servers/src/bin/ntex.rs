//! ntex, which has a runtime of its own, and listens for signals itself.

use std::env;
use std::net::TcpListener;
use std::time::Duration;

use ntex::rt::{DefaultRuntime, System};
use ntex::web::{self, App, HttpServer};

async fn slow() -> &'static str {
    println!("in hand");
    ntex::time::sleep(Duration::from_secs(1)).await;
    "slow\n"
}

async fn serve(told: bool) -> std::io::Result<()> {
    let app = async || App::new().route("/", web::get().to(async || "hello\n")).route("/slow", web::get().to(slow));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    graceful::ready();
    let server = HttpServer::new(app).workers(1).listen(listener)?;
    if told {
        let server = server.disable_signals().run();
        let handle = server.clone();
        ntex::rt::spawn(async move {
            graceful::stopping().await;
            handle.stop(true).await
        });
        server.await
    } else {
        server.run().await
    }
}

#[graceful::main]
async fn main() -> std::io::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("told") => {
            let system = || System::new("ntex", DefaultRuntime).block_on(serve(true));
            graceful::spawn_blocking("ntex", system).await.map_err(std::io::Error::other)
        }
        Some("alone") => {
            let system = || System::build().enable_signals().build(DefaultRuntime).block_on(serve(false));
            graceful::spawn_blocking("ntex", system).await.map_err(std::io::Error::other)
        }
        _ => serve(true).await,
    }
}
