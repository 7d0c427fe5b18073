//! The worker of the root examples, that can be looked into while it works.
//!
//! ```sh
//! cargo run -p longrun-examples --example worker_http -- PATH --listen 127.0.0.1:0 [--data DIR] [--workers N]
//! cargo run -p longrun-examples --example ctl -- 127.0.0.1:PORT list --status Running
//! ```
//!
//! It prints `listening on http://ADDRESS`, serves Graph's face, the counters and the page to everybody on that address
//! (keep it on this machine), and works on as `worker` does.

#![expect(clippy::print_stdout, reason = "an example prints what it does")]
#![expect(clippy::disallowed_methods, reason = "the library spawns nothing; its host does")]

#[path = "../../worker/hashing.rs"]
mod hashing;

use axum::Router;
use hashing::Failed;
use longrun::Tracker;
use longrun::http::{self, Access};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    hashing::run(Some(|tracker, address, end| Box::pin(listen(tracker, address, end)))).await
}

async fn listen(tracker: Tracker, address: String, end: oneshot::Receiver<()>) -> Result<(), Failed> {
    let listener = TcpListener::bind(&address).await.map_err(|error| format!("{address}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    let access = Access::open();
    let router = Router::new()
        .merge(http::graph(tracker.clone(), access.clone()).path("/v1.0/operations"))
        .merge(http::counters(tracker.clone(), access.clone()))
        .merge(http::page("/v1.0/operations"))
        .fallback_service(http::nowhere(tracker, access));
    // Its other end is dropped, nothing is ever sent.
    http::serve(listener, router).until(async { drop(end.await) }).await?;
    Ok(())
}
