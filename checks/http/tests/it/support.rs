//! A server on a socket and a client that sends exactly what it is told.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, FixedOffset};
use longrun::clock::ManualClock;
use longrun::http::{self, Access, Graph, Limits};
use longrun::{NewOperation, Operation, Patch, Status, Tracker};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where the set is.
pub(crate) const SET: &str = "/v1.0/operations";
/// Where the `OneNote` set is.
pub(crate) const NOTES: &str = "/v1.0/me/onenote/operations";
/// When tests begin.
pub(crate) const START: &str = "2026-03-01T12:00:00.1234567+00:00";
/// The media type that most bodies have.
pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");

pub(crate) fn date(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).unwrap()
}

/// A server, its tracker and its clock.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) tracker: Tracker,
    pub(crate) clock: ManualClock,
}

impl Server {
    /// Both sets, open to everybody.
    pub(crate) async fn new() -> Self {
        Self::with(Access::open(), |graph| graph).await
    }

    /// Both sets with this access, each face as this makes it.
    pub(crate) async fn with(access: Access, dress: impl Fn(Graph) -> Graph) -> Self {
        Self::build(access, Limits::default(), dress).await
    }

    pub(crate) async fn build(access: Access, limits: Limits, dress: impl Fn(Graph) -> Graph) -> Self {
        let clock = ManualClock::new(date(START));
        let tracker = Tracker::builder().clock(clock.clone()).in_memory().await.unwrap();
        Self::over(tracker, clock, access, limits, dress).await
    }

    /// Over a tracker of the test's own.
    pub(crate) async fn over(
        tracker: Tracker,
        clock: ManualClock,
        access: Access,
        limits: Limits,
        dress: impl Fn(Graph) -> Graph,
    ) -> Self {
        let router = Router::new().merge(dress(http::graph(tracker.clone(), access.clone()).path(SET))).merge(
            dress(http::graph(tracker.clone(), access.clone()).path(NOTES)).declared_type(http::ONENOTE_OPERATION),
        );
        let router = router
            .merge(http::azure(tracker.clone(), access.clone()).path("/azure/operations"))
            .merge(http::google(tracker.clone(), access.clone()).path("/v1/longrun/operations"))
            .merge(http::counters(tracker.clone(), access));
        let address = listen(router, limits).await;
        Self { address, tracker, clock }
    }

    pub(crate) async fn created(&self) -> Operation {
        self.tracker.create(NewOperation::new("export").label("order", "1742")).await.unwrap()
    }

    pub(crate) async fn at(&self, status: Status) -> Operation {
        let created = self.created().await;
        self.walk(&created, status).await
    }

    /// Moves a new operation to a status.
    pub(crate) async fn walk(&self, operation: &Operation, status: Status) -> Operation {
        let id = operation.id();
        let mut now = self.tracker.get(id).await.unwrap();
        if status != Status::NotStarted {
            now = self.tracker.patch(id, Patch::new().status(Status::Running)).await.unwrap();
        }
        if status.is_terminal() {
            now = self.tracker.patch(id, Patch::new().status(status)).await.unwrap();
        }
        now
    }

    pub(crate) async fn record(&self, operation: &Operation) -> Operation {
        self.tracker.get(operation.id()).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, "").await
    }

    /// PATCH of JSON.
    pub(crate) async fn patch(&self, operation: &Operation, body: &str) -> Reply {
        self.send("PATCH", &entity(operation), &[JSON], body).await
    }

    pub(crate) async fn patch_with(&self, operation: &Operation, headers: &[(&str, &str)], body: &str) -> Reply {
        let headers: Vec<_> = [JSON].iter().chain(headers).copied().collect();
        self.send("PATCH", &entity(operation), &headers, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[JSON], body).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Reply {
        let host = self.address.to_string();
        let mut all = vec![("Host", host.as_str())];
        all.extend_from_slice(headers);
        self.raw(&request(method, path, &all, body.as_ref())).await
    }

    /// Sends these bytes and reads one answer.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses early may close before all is written.
        drop(stream.write_all(bytes).await);
        read_reply(&mut stream, bytes.starts_with(b"HEAD ")).await
    }
}

/// Serves a router on a free port for as long as the test runs.
#[expect(clippy::disallowed_methods, reason = "a test's server runs beside it")]
pub(crate) async fn listen(router: Router, limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(http::serve(listener, router).limits(limits).into_future());
    address
}

/// An operation's path.
pub(crate) fn entity(operation: &Operation) -> String {
    format!("{SET}/{}", operation.id())
}

/// The bytes of a request; a body's length is added where there is a body or a method that wants one.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    if !body.is_empty() || ["POST", "PATCH", "PUT"].contains(&method) {
        bytes.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Reads one answer; fails if it does not come within a watchdog's time.
pub(crate) async fn read_reply(stream: &mut TcpStream, is_head: bool) -> Reply {
    let reading = read(stream, is_head);
    tokio::time::timeout(Duration::from_mins(1), reading).await.expect("no answer came")
}

async fn read(stream: &mut TcpStream, is_head: bool) -> Reply {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            break end;
        }
        assert!(more(stream, &mut bytes).await, "closed within the head: {:?}", String::from_utf8_lossy(&bytes));
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut reply = Reply { status, headers, body: bytes.split_off(end + 4) };
    if is_head || status == 204 || status == 304 {
        assert!(reply.body.is_empty(), "a body where none may be");
    } else if let Some(length) = reply.header("content-length") {
        let length: usize = length.parse().unwrap();
        while reply.body.len() < length {
            assert!(more(stream, &mut reply.body).await, "closed within the body");
        }
    } else {
        while find(&reply.body, b"0\r\n\r\n").is_none() && more(stream, &mut reply.body).await {}
        reply.body = unchunked(&reply.body);
    }
    reply
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 4096];
    let read = stream.read(&mut chunk).await.unwrap_or(0);
    bytes.extend(&chunk[..read]);
    read > 0
}

pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = find(bytes, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 2 + size + 2..];
    }
    body
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A member that is a text.
    pub(crate) fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no text {name}: {}", self.text())).to_owned()
    }

    /// Asserts a status.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// Asserts a refusal: status, inner code, the envelope around it and its headers.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> &Self {
        self.is(status);
        let body = self.json();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        let error = &body["error"];
        assert_eq!(error["innerError"]["code"], code, "{body}");
        assert_eq!(error["code"], longrun::wire::phrase(status), "{body}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("content-language"), Some("en"));
        assert_eq!(self.header("odata-version"), Some("4.0"));
        self
    }

    /// Asserts what a refusal is about.
    #[track_caller]
    pub(crate) fn about(&self, target: &str) -> &Self {
        assert_eq!(self.json()["error"]["target"], target, "{}", self.text());
        self
    }

    /// Asserts an entity: that the record after is the one shown, and its tag the one in both places.
    #[track_caller]
    pub(crate) fn shows(&self, operation: &Operation) -> &Self {
        let tag = operation.etag().to_string();
        assert_eq!(self.header("etag"), Some(tag.as_str()));
        let body = self.json();
        assert_eq!(body["@odata.etag"], tag);
        let entity = longrun::wire::to_json(&longrun::wire::Entity::new(operation));
        let record: Value = serde_json::from_str(&entity).unwrap();
        for (name, value) in record.as_object().unwrap() {
            assert_eq!(&body[name], value, "{name} in {body}");
        }
        let extra = body.as_object().unwrap().keys().filter(|name| record.get(name.as_str()).is_none());
        assert_eq!(extra.collect::<Vec<_>>(), ["@odata.context", "@odata.etag"]);
        self
    }
}

/// Runs all these at once; their answers in order.
pub(crate) async fn together<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.map(|future| (Some(Box::pin(future)), None)).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in &mut running {
            if let Some(polled) = future.as_mut().map(|future| future.as_mut().poll(context))
                && let std::task::Poll::Ready(value) = polled
            {
                (*future, *answer) = (None, Some(value));
            }
        }
        let done = running.iter().all(|(future, _)| future.is_none());
        if done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    running.into_iter().map(|(_, answer)| answer.unwrap()).collect()
}

impl Server {
    /// A GET, and once it waits this, step by step, until it is answered.
    pub(crate) async fn get_while(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        mut step: impl AsyncFnMut(),
    ) -> Reply {
        let before = self.tracker.watchers();
        let driver = async {
            while self.tracker.watchers() == before {
                tokio::task::yield_now().await;
            }
            loop {
                step().await;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            reply = self.get_with(path, headers) => reply,
            () = driver => unreachable!("the driver goes on for ever"),
        }
    }
}

impl Server {
    /// The status of an answer, whatever becomes of its body: that of a stream has no end.
    pub(crate) async fn status_of(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let host = self.address.to_string();
        let all: Vec<_> = [("Host", host.as_str())].iter().chain(headers).copied().collect();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&request(method, path, &all, body.as_bytes())).await.unwrap();
        let mut bytes = Vec::new();
        while find(&bytes, b"\r\n").is_none() {
            assert!(more(&mut stream, &mut bytes).await, "closed without an answer");
        }
        String::from_utf8_lossy(&bytes).split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Reply {
    /// Asserts the status of a refusal by any face; its challenge.
    #[track_caller]
    pub(crate) fn refused_anywhere(&self, status: u16) -> Option<&str> {
        self.is(status);
        assert!(self.json()["error"]["message"].is_string());
        self.header("www-authenticate")
    }
}
