//! An accept loop with limits (FAULTS 17-20, 60): HTTP/1.1 alone, a bound on every wait and every size.

use std::convert::Infallible;
use std::future::{Future, IntoFuture, pending};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::Service;

use super::guard::{Busy, Guard, Timed};

/// Bytes of a request's head at most; beyond it 431.
const MAX_HEAD: usize = 64 * 1024;
/// Connections above the bound that are told so; more are closed.
const REFUSED: usize = 64;

/// How long a connection may take and how many there may be.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// From the first byte of a request's head to its end: 10 s.
    pub head: Duration,
    /// From there to the end of its body: 10 s; beyond it 408.
    pub body: Duration,
    /// Silence between requests, and a peer that does not read: 60 s.
    pub idle: Duration,
    /// Connections at once: 10,000; beyond it 503.
    pub connections: usize,
    /// How long requests under way may take once the end was asked for: 10 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            connections: 10_000,
            drain: Duration::from_secs(10),
        }
    }
}

/// A server to be awaited.
#[must_use = "a server runs when it is awaited"]
pub struct Serve {
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl std::fmt::Debug for Serve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Serves a router on a listener until [`Serve::until`] ends, or for ever.
///
/// ```no_run
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use longrun::http::{self, Access};
/// let tracker = longrun::Tracker::open("jobs.sled").await.unwrap();
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// http::serve(listener, http::graph(tracker, Access::open()).router()).await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn serve(listener: TcpListener, router: Router) -> Serve {
    Serve { listener, router, limits: Limits::default(), shutdown: Box::pin(pending()) }
}

impl Serve {
    /// Other limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Ends when this future does: no new connections, requests under way are answered.
    pub fn until(mut self, shutdown: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = Box::pin(shutdown);
        self
    }

    async fn run(self) -> io::Result<()> {
        let Self { listener, router, limits, mut shutdown } = self;
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of descriptors, or a peer that was gone before it was met: others may come.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = &mut shutdown => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            let refuses = connections.len() >= limits.connections;
            if connections.len() >= limits.connections.saturating_add(REFUSED) {
                continue;
            }
            let router = (!refuses).then(|| router.clone());
            connections.spawn(connection(stream, router, limits, graceful.watcher()));
        }
        drop(listener);
        let drained = tokio::time::timeout(limits.drain, graceful.shutdown()).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "closed connections that did not end in time");
        }
        connections.shutdown().await;
        Ok(())
    }
}

impl IntoFuture for Serve {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Serves one connection to its end; without a router it is only told that there are too many.
async fn connection(stream: TcpStream, router: Option<Router>, limits: Limits, watcher: Watcher) {
    // Answers are small and complete: waiting to fill a packet only delays them.
    drop(stream.set_nodelay(true));
    let busy = Arc::new(Busy::default());
    let guarded = TokioIo::new(Guard::new(stream, Arc::clone(&busy), limits.head, limits.idle));
    let service = service_fn(move |request: Request<Incoming>| {
        let working = busy.begin();
        let router = router.clone();
        async move {
            let response = match router {
                Some(router) => answer(router, request, limits.body).await,
                None => too_many(),
            };
            drop(working);
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).header_read_timeout(None);
    if let Err(error) = pin!(watcher.watch(builder.serve_connection(guarded, service))).await {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn answer(mut router: Router, request: Request<Incoming>, within: Duration) -> Response {
    let request =
        request.map(|body| if body.is_end_stream() { Body::empty() } else { Timed::body(Body::new(body), within) });
    match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn too_many() -> Response {
    const BODY: &str = r#"{"error":{"code":"serviceUnavailable","message":"too many connections","innerError":{"code":"throttledRequest"}}}"#;
    let mut response = Response::new(Body::from(BODY));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
