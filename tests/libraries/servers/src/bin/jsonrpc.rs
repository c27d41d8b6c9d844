//! jsonrpsee: calls over HTTP, and over WebSockets.

use std::env;
use std::net::Ipv4Addr;
use std::time::Duration;

use jsonrpsee::RpcModule;
use jsonrpsee::server::{Server, stop_channel};
use tokio::net::TcpListener;
use tokio::time::sleep;

#[graceful::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut module = RpcModule::new(());
    module.register_async_method("slow", async |_, _, _| {
        println!("in hand");
        sleep(Duration::from_secs(1)).await;
        "slow"
    })?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    graceful::ready();
    match env::args().nth(1).as_deref() {
        Some("served") => {
            let (stop, server) = stop_channel();
            let service = Server::builder().to_service_builder().build(module, stop);
            tokio::spawn(async move {
                graceful::stopping().await;
                server.stop()
            });
            graceful::http::serve(listener, service).await;
        }
        Some("awaited") => {
            let server = Server::builder().build_from_tcp(listener.into_std()?)?.start(module);
            graceful::stopping().await;
            server.stop()?;
            server.stopped().await;
        }
        _ => {
            let server = Server::builder().build_from_tcp(listener.into_std()?)?.start(module);
            graceful::stopping().await;
            server.stop()?;
        }
    }
    Ok(())
}
