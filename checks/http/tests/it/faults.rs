//! FAULTS 1-37 over a socket, as far as they are the face's.

use std::time::Duration;

use longrun::http::{Access, Limits};
use longrun::{NewOperation, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{JSON, SET, Server, entity, read_reply, request};

const LIMIT: usize = 128 * 1024;

fn padded(length: usize) -> Vec<u8> {
    let mut body = br#"{"status":"Running"}"#.to_vec();
    body.resize(length, b' ');
    body
}

#[tokio::test]
async fn fault_001_bodies_are_bounded() {
    let server = Server::new().await;
    let operation = server.created().await;
    for length in [LIMIT + 1, 3 * 1024 * 1024] {
        let reply = server.send("PATCH", &entity(&operation), &[JSON], padded(length)).await;
        reply.refused(413, "contentTooLarge");
    }
    let host = server.address.to_string();
    let headers = [("Host", host.as_str()), JSON, ("Transfer-Encoding", "chunked")];
    let chunk = format!("{:x}\r\n{}\r\n", 1024, " ".repeat(1024));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = request("PATCH", &entity(&operation), &headers, b"");
    let head = String::from_utf8(head).unwrap().replace("Content-Length: 0\r\n", "");
    stream.write_all(head.as_bytes()).await.unwrap();
    // A body without an end: it is written for as long as somebody reads it.
    let (mut reader, mut writer) = stream.split();
    let writes = async { while writer.write_all(chunk.as_bytes()).await.is_ok() {} };
    let mut answer = Vec::new();
    let reads = async {
        let mut chunk = [0; 4096];
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let read = reader.read(&mut chunk).await.unwrap_or(0);
            assert!(read > 0, "closed without an answer");
            answer.extend(&chunk[..read]);
        }
    };
    tokio::select! { () = writes => {}, () = reads => {} }
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 413 "));
    assert_eq!(server.record(&operation).await, operation);
    server.send("PATCH", &entity(&operation), &[JSON], padded(LIMIT)).await.is(200);
}

#[tokio::test]
async fn fault_002_deep_json_is_refused() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    for depth in [33, 127, 128, 129, 60_000] {
        let body = format!(r#"{{"status":"Completed","result":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(server.patch(&operation, &body).await.status, 400, "{depth}");
    }
    assert_eq!(server.record(&operation).await, operation);
    let body = format!(r#"{{"status":"Completed","result":{}{}}}"#, "[".repeat(32), "]".repeat(32));
    server.patch(&operation, &body).await.is(200).shows(&server.record(&operation).await);
}

#[tokio::test]
async fn fault_005_numbers_that_are_none() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    for number in ["NaN", "Infinity", "1e400", "-1", "100.0001", "1e308", "101", "1.5", "\"5\"", "-0.5"] {
        let reply = server.patch(&operation, &format!(r#"{{"percentageComplete":{number}}}"#)).await;
        assert_eq!(reply.status, 400, "{number}");
    }
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn fault_007_bytes_that_are_no_text() {
    let server = Server::new().await;
    let operation = server.created().await;
    for byte in 0x80..=0xff_u8 {
        let reply = server.get(&format!("{SET}/%{byte:02x}")).await;
        reply.refused(400, "malformedPath");
    }
    let host = server.address.to_string();
    for name in [
        "Prefer",
        "If-Match",
        "If-None-Match",
        "Accept",
        "Content-Type",
        "OData-Version",
        "OData-MaxVersion",
        "Authorization",
        "client-request-id",
    ] {
        let mut bytes =
            format!("PATCH {} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n{name}: ", entity(&operation))
                .into_bytes();
        bytes.extend(0x80..=0xff_u8);
        bytes.extend(b"\r\n\r\n{}");
        let reply = server.raw(&bytes).await;
        assert!((400..500).contains(&reply.status), "{name}: {reply:?}");
    }
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn fault_008_control_characters() {
    let server = Server::new().await;
    for body in [
        r#"{"id":"a\u0000"}"#,
        r#"{"type":"a\u0000"}"#,
        r#"{"type":"a\u0007"}"#,
        r#"{"labels":{"k":"\u0085"}}"#,
        r#"{"statusDetail":"\u0000"}"#,
    ] {
        server.post(SET, body).await.refused(400, "invalidPropertyValue");
    }
    server.get(&format!("{SET}/a%00")).await.refused(404, "operationNotFound");
    assert_eq!(server.tracker.counts().await.unwrap().total(), 0);
}

#[tokio::test]
async fn fault_010_no_path_leads_out() {
    let server = Server::new().await;
    for path in ["%2e%2e%2fetc%2fpasswd", "..%2f..%2f", "%2e%2e", "."] {
        server.get(&format!("{SET}/{path}")).await.refused(404, "operationNotFound");
    }
}

#[tokio::test]
async fn fault_019_lengths_that_disagree() {
    let server = Server::new().await;
    let operation = server.created().await;
    let host = server.address.to_string();
    let head =
        format!("PATCH {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n", entity(&operation));
    let body = r#"{"status":"Running"}"#;
    let reply =
        server.raw(format!("{head}Content-Length: 20\r\nContent-Length: 19\r\n\r\n{body}").as_bytes()).await;
    assert_eq!(reply.status, 400);
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn fault_020_heads_are_bounded() {
    let server = Server::new().await;
    let long = "x".repeat(256 * 1024);
    assert_eq!(server.get_with(SET, &[("X-Long", &long)]).await.status, 431);
    let many: Vec<_> = (0..200).map(|n| (format!("X-{n}"), "1")).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(server.get_with(SET, &many).await.status, 431);
}

#[tokio::test]
async fn fault_021_nothing_unchecked_comes_back_in_a_header() {
    let server = Server::new().await;
    let host = server.address.to_string();
    for value in [&b"a\x80b"[..], b"\xff", b"", b" ", b"a\tb"] {
        let mut bytes = format!("GET {SET} HTTP/1.1\r\nHost: {host}\r\nclient-request-id: ").into_bytes();
        bytes.extend(value);
        bytes.extend(b"\r\n\r\n");
        let reply = server.raw(&bytes).await;
        let returned = reply.is(200).header("client-request-id").unwrap();
        assert!(!returned.is_empty() && returned == reply.header("request-id").unwrap(), "{returned}");
    }
}

#[tokio::test]
async fn fault_028_nothing_is_taken_for_a_page() {
    let server = Server::new().await;
    let operation = server.tracker.create(NewOperation::new("<script>alert(1)</script>")).await.unwrap();
    for reply in [
        server.get(&entity(&operation)).await,
        server.get("/v1.0/%3Cscript%3E").await,
        server.get("/metrics").await,
    ] {
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(!reply.header("content-type").unwrap().contains("html"));
    }
}

/// Small limits: the tests wait for sockets to be closed, bounded by a watchdog and by no exact time.
fn quick() -> Limits {
    let mut limits = Limits::default();
    (limits.head, limits.body, limits.idle) =
        (Duration::from_millis(300), Duration::from_millis(300), Duration::from_millis(600));
    limits
}

/// Whether the server closes a socket within the watchdog's time.
async fn closes(stream: &mut TcpStream) -> bool {
    let gone = async {
        let mut chunk = [0; 4096];
        while stream.read(&mut chunk).await.is_ok_and(|read| read > 0) {}
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_017_slow_clients_are_closed_and_an_honest_one_is_answered() {
    let server = Server::build(Access::open(), quick(), |graph| graph).await;
    let operation = server.created().await;
    let host = server.address.to_string();
    let head = format!(
        "PATCH {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 20\r\n",
        entity(&operation)
    );
    let connect = async |bytes: &str| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    };
    let mut silent = connect("").await;
    let mut half_head = connect("GET / HT").await;
    let mut dribbler = connect(&head).await;
    let mut half_body = connect(&format!("{head}\r\n{{\"sta")).await;
    server.get(&entity(&operation)).await.is(200);
    // One byte a moment keeps nothing alive.
    let (mut reader, mut writer) = dribbler.split();
    let dribbles = async {
        loop {
            if writer.write_all(b"X").await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ends = async {
        let mut chunk = [0; 64];
        while reader.read(&mut chunk).await.is_ok_and(|read| read > 0) {}
    };
    let watchdog = tokio::time::timeout(Duration::from_secs(30), async {
        tokio::select! { () = dribbles => {}, () = ends => {} }
    });
    watchdog.await.expect("the dribbler is still served");
    let reply = read_reply(&mut half_body, false).await;
    reply.refused(408, "requestTimeout");
    for stream in [&mut silent, &mut half_head, &mut half_body] {
        assert!(closes(stream).await);
    }
    server.patch(&operation, r#"{"status":"Running"}"#).await.is(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_017_silence_between_requests_ends_but_a_long_poll_does_not() {
    let server = Server::build(Access::open(), quick(), |graph| graph).await;
    let operation = server.at(Status::Running).await;
    let host = server.address.to_string();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let get = request("GET", &entity(&operation), &[("Host", &host)], b"");
    for _ in 0..3 {
        stream.write_all(&get).await.unwrap();
        read_reply(&mut stream, false).await.is(200);
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
    let wait = request("GET", &entity(&operation), &[("Host", &host), ("Prefer", "wait=60")], b"");
    stream.write_all(&wait).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    server.tracker.complete(operation.id(), 1).await.unwrap();
    assert_eq!(read_reply(&mut stream, false).await.is(200).member("status"), "Completed");
    assert!(closes(&mut stream).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_017_connections_are_bounded() {
    let mut limits = Limits::default();
    limits.connections = 2;
    let server = Server::build(Access::open(), limits, |graph| graph).await;
    let host = server.address.to_string();
    let get = request("GET", SET, &[("Host", &host)], b"");
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&get).await.unwrap();
        read_reply(&mut stream, false).await.is(200);
        kept.push(stream);
    }
    let reply = server.get(SET).await;
    assert!(reply.is(503).header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(reply.json()["error"]["code"], "serviceUnavailable");
    drop(kept.pop());
    // The place is free once the server has noticed.
    let freed = async { while server.get(SET).await.status != 200 {} };
    tokio::time::timeout(Duration::from_secs(30), freed).await.expect("the place is never free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a test's server runs beside it")]
async fn fault_060_the_end_waits_for_requests_under_way() {
    use longrun::http;
    let tracker = longrun::Tracker::builder().in_memory().await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = http::graph(tracker.clone(), Access::open()).path(SET).router();
    let serving = tokio::spawn(http::serve(listener, router).until(async { drop(stopped.await) }).into_future());
    let id = tracker.create(NewOperation::new("export")).await.unwrap().id().clone();
    tracker.claim(&id, "w").await.unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let host = address.to_string();
    let wait = request("GET", &format!("{SET}/{id}"), &[("Host", &host), ("Prefer", "wait=60")], b"");
    stream.write_all(&wait).await.unwrap();
    while tracker.watchers() == 0 {
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    tracker.complete(&id, 1).await.unwrap();
    assert_eq!(read_reply(&mut stream, false).await.is(200).member("status"), "Completed");
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn rule_128_busy_answers_say_when_to_come_again() {
    let server = Server::with(Access::open(), |graph| graph.watchers(0, 0)).await;
    let operation = server.created().await;
    let reply = server.get_with(&entity(&operation), &[("Prefer", "wait=1")]).await;
    assert!(reply.refused(503, "throttledRequest").header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    server.tracker.close(Duration::ZERO).await.unwrap();
    let reply = server.patch(&operation, r#"{"status":"Running"}"#).await;
    assert!(reply.refused(503, "trackerClosed").header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
}
