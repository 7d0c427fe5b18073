//! Requests to the Graph face, in this process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode, Uri};
use longrun::http::{self, Access};
use longrun::{NewOperation, OperationId, Patch, Status, Tracker};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// Where the operations are.
const SET: &str = "/v1.0/operations";
/// More than any answer has here.
const LONGEST: usize = 1 << 20;

/// A server, for all requests of a thread: none of them changes more than a text.
struct Served {
    runtime: Runtime,
    router: Router,
}

impl Served {
    fn new() -> Option<Self> {
        let runtime = Builder::new_current_thread().enable_time().build().ok()?;
        let router = runtime.block_on(async {
            let tracker = Tracker::builder().in_memory().await.ok()?;
            for name in ["a", "b", "c"] {
                let new = NewOperation::new("export").id(name.parse::<OperationId>().ok()?).label("order", "1742");
                tracker.create(new).await.ok()?;
            }
            tracker.patch(&"b".parse().ok()?, Patch::new().status(Status::Running)).await.ok()?;
            tracker.cancel(&"c".parse().ok()?).await.ok()?;
            Some(http::graph(tracker, Access::open()).path(SET).into())
        })?;
        Some(Self { runtime, router })
    }

    fn answer(&self, request: Request<Body>) {
        let what = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        self.runtime.block_on(async {
            let Ok(response) = self.router.clone().oneshot(request).await;
            check(&what, response).await;
        });
    }
}

thread_local! {
    static SERVED: Option<Served> = Served::new();
}

fn ask(request: Request<Body>) {
    SERVED.with(|served| {
        let served = served.as_ref();
        assert!(served.is_some(), "the server must start");
        if let Some(served) = served {
            served.answer(request);
        }
    });
}

/// No answer is the server's fault, and none carries what it was given into a header.
async fn check(what: &str, response: Response<Body>) {
    let (head, body) = response.into_parts();
    let fine = !head.status.is_server_error() || head.status == StatusCode::NOT_IMPLEMENTED;
    assert!(fine, "{what}: {}", head.status);
    for (name, value) in &head.headers {
        assert!(value.to_str().is_ok(), "{what}: {name}: {value:?}");
    }
    let body = to_bytes(body, LONGEST).await.unwrap_or_default();
    let is_json =
        head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json {
        let read = serde_json::from_slice::<serde_json::Value>(&body);
        assert!(read.is_ok(), "{what}: {read:?} of {}", String::from_utf8_lossy(&body));
    }
}

/// Asks for the list with these bytes as query.
///
/// # Panics
/// If the answer is a server's error or no JSON.
pub fn query_options(query: &[u8]) {
    let Ok(query) = std::str::from_utf8(query) else { return };
    for path in [SET.to_owned(), format!("{SET}/$count"), format!("{SET}/a")] {
        let Ok(uri) = format!("{path}?{query}").parse::<Uri>() else { continue };
        let Ok(request) = Request::builder().uri(uri).body(Body::empty()) else { continue };
        ask(request);
    }
}

/// Reads, changes and deletes with these lines as headers; each is a name, a colon and a value.
///
/// # Panics
/// If the answer is a server's error, no JSON, or has a header that no text is.
pub fn headers(lines: &[u8]) {
    for (method, path, body) in [
        (Method::GET, format!("{SET}/a"), ""),
        (Method::GET, SET.to_owned(), ""),
        (Method::PATCH, format!("{SET}/b"), r#"{"statusDetail": "seen"}"#),
        (Method::DELETE, format!("{SET}/a"), ""),
    ] {
        let mut request = Request::builder().method(method).uri(path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for line in lines.split(|byte| *byte == b'\n').take(16) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = line.split_at(colon);
            // A wait is bounded by the client's wish: none is made here.
            if !is_wait(value) {
                request = request.header(name, value.get(1..).unwrap_or_default());
            }
        }
        if let Ok(request) = request.body(Body::from(body)) {
            ask(request);
        }
    }
}

fn is_wait(value: &[u8]) -> bool {
    value.to_ascii_lowercase().windows(4).any(|part| part == b"wait")
}
