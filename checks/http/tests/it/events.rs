//! Server-sent events: the feed, resumed where it ended.

use longrun::{Patch, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{SET, Server, entity, find, request};

/// A stream of events.
pub(crate) struct Events {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// One event: its id, its name, its data.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    name: String,
    pub(crate) data: serde_json::Value,
}

impl Events {
    pub(crate) async fn open(server: &Server, path: &str, last: Option<&str>) -> Self {
        let host = server.address.to_string();
        let mut headers = vec![("Host", host.as_str()), ("Accept", "text/event-stream")];
        headers.extend(last.map(|last| ("Last-Event-ID", last)));
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&request("GET", path, &headers, b"")).await.unwrap();
        Self::of(stream)
    }

    /// What has been asked for on this stream.
    pub(crate) fn of(stream: TcpStream) -> Self {
        Self { stream, bytes: Vec::new() }
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.take() {
                return Some(event);
            }
            if self.bytes.ends_with(b"\r\n0\r\n\r\n") {
                return None;
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "closed without an end");
            self.bytes.extend(&chunk[..read]);
        }
    }

    fn take(&mut self) -> Option<Event> {
        // A chunk begins with it; headers end in `id: ` too.
        let start = find(&self.bytes, b"\r\nid: ")? + 2;
        let end = start + find(&self.bytes[start..], b"\n\n")?;
        let text = String::from_utf8(self.bytes[start..end].to_vec()).unwrap();
        self.bytes.drain(..end + 2);
        let mut lines = text.lines().map(|line| line.split_once(": ").unwrap().1.to_owned());
        let (id, name, data) = (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
        Some(Event { id, name, data: serde_json::from_str(&data).unwrap() })
    }
}

#[tokio::test]
async fn one_operation_to_its_end() {
    let server = Server::new().await;
    let operation = server.created().await;
    let path = format!("{}/events", entity(&operation));
    let mut events = Events::open(&server, &path, None).await;
    let first = events.next().await.unwrap();
    assert_eq!((&*first.name, &first.data["status"]), ("updated", &"NotStarted".into()));
    server.tracker.patch(operation.id(), Patch::new().status(Status::Running)).await.unwrap();
    let second = events.next().await.unwrap();
    assert_eq!(
        (&second.data["status"], &second.data["@odata.type"]),
        (&"Running".into(), &"#microsoft.graph.operation".into())
    );
    drop(events);
    // Nothing is sent twice: it goes on after what was seen.
    let mut events = Events::open(&server, &path, Some(&second.id)).await;
    while server.tracker.watchers() == 0 {
        tokio::task::yield_now().await;
    }
    server.tracker.complete(operation.id(), 1).await.unwrap();
    let last = events.next().await.unwrap();
    assert_eq!(last.data["status"], "Completed");
    assert!(events.next().await.is_none());
    let reply = server.get_with(&path, &[("Last-Event-ID", &last.id)]).await;
    reply.is(204);
    server.get(&format!("{SET}/nope/events")).await.refused(404, "operationNotFound");
}

#[tokio::test]
async fn the_feed_of_all_goes_on_where_it_ended() {
    let server = Server::new().await;
    let path = format!("{SET}/events");
    let one = server.created().await;
    let two = server.at(Status::Completed).await;
    let mut events = Events::open(&server, &path, None).await;
    let first = events.next().await.unwrap();
    assert_eq!(first.data["id"], one.id().to_string());
    let second = events.next().await.unwrap();
    assert_eq!(second.data["@odata.etag"], two.etag().to_string());
    drop(events);
    server.tracker.patch(one.id(), Patch::new().status(Status::Running)).await.unwrap();
    server.tracker.delete(two.id()).await.unwrap();
    let mut events = Events::open(&server, &path, Some(&second.id)).await;
    let third = events.next().await.unwrap();
    assert_eq!((&third.data["id"], &third.data["status"]), (&one.id().to_string().into(), &"Running".into()));
    let fourth = events.next().await.unwrap();
    assert_eq!((&*fourth.name, &fourth.data["id"]), ("deleted", &two.id().to_string().into()));
    server.get_with(&path, &[("Last-Event-ID", "x")]).await.refused(400, "invalidPosition");
}

#[tokio::test]
async fn a_feed_may_begin_at_its_end() {
    let server = Server::new().await;
    server.created().await;
    let mut events = Events::open(&server, &format!("{SET}/events?$deltatoken=latest"), None).await;
    while server.tracker.watchers() == 0 {
        tokio::task::yield_now().await;
    }
    let later = server.created().await;
    let first = events.next().await.unwrap();
    assert_eq!(first.data["id"], later.id().to_string());
    // A place that was reached counts more than where it began.
    server.tracker.patch(later.id(), Patch::new().status(Status::Running)).await.unwrap();
    let second = events.next().await.unwrap();
    let path = format!("{SET}/events?$deltatoken=latest");
    let mut again = Events::open(&server, &path, Some(&first.id)).await;
    assert_eq!(again.next().await.unwrap().id, second.id);
    server.get(&format!("{SET}/events?$deltatoken=x")).await.refused(400, "invalidQueryOption");
    server.get(&format!("{SET}?$deltatoken=latest")).await.refused(501, "queryOptionNotSupported");
}
