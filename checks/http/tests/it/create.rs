//! H. Create, delete, methods.

use longrun::{ErrorKind, Status};

use crate::support::{JSON, SET, Server, entity};

#[tokio::test]
async fn rule_092_created_with_its_address() {
    let server = Server::new().await;
    let reply = server.post(SET, r#"{"type":"export","labels":{"order":"1742"},"statusDetail":"queued"}"#).await;
    let record = server.tracker.get(&reply.is(201).member("id").parse().unwrap()).await.unwrap();
    reply.shows(&record);
    let url = format!("http://{}{}", server.address, entity(&record));
    assert_eq!(reply.header("location"), Some(&*url));
    assert_eq!(
        (record.type_name(), record.label("order"), record.detail()),
        (Some("export"), Some("1742"), Some("queued"))
    );
}

#[tokio::test]
async fn rule_093_new_ones_are_not_started() {
    let server = Server::new().await;
    let reply = server.post(SET, "{}").await;
    assert_eq!(reply.is(201).member("status"), "NotStarted");
    assert_eq!(reply.member("createdDateTime"), "2026-03-01T12:00:00.1234567Z");
    assert_eq!(reply.member("createdDateTime"), reply.member("lastActionDateTime"));
    let reply = server.post(SET, r#"{"status":"running"}"#).await;
    assert_eq!(
        (reply.is(201).member("status"), reply.member("startedDateTime")),
        ("Running".into(), reply.member("createdDateTime"))
    );
}

#[tokio::test]
async fn a_deadline_is_set_by_create_alone() {
    let server = Server::new().await;
    let body = r#"{"id":"a","deadlineDateTime":"2026-03-01T15:30:00.5+03:00"}"#;
    let created = server.post(SET, body).await;
    assert_eq!(created.is(201).member("deadlineDateTime"), "2026-03-01T15:30:00.5+03:00");
    // Read-only from then on, like everything that create alone sets.
    let patch = r#"{"deadlineDateTime":"2036-01-01T00:00:00Z","statusDetail":"x"}"#;
    let record = server.tracker.get(&"a".parse().unwrap()).await.unwrap();
    let reply = server.patch(&record, patch).await;
    assert_eq!(reply.is(200).member("deadlineDateTime"), "2026-03-01T15:30:00.5+03:00");
    let shown = server.get(&format!("{SET}/a?$select=deadlineDateTime")).await;
    assert_eq!(shown.is(200).member("deadlineDateTime"), "2026-03-01T15:30:00.5+03:00");
    server.post(SET, r#"{"deadlineDateTime":null}"#).await.is(201);
    for wrong in ["\"tomorrow\"", "7", "\"2026-02-30T00:00:00Z\""] {
        let reply = server.post(SET, &format!(r#"{{"deadlineDateTime":{wrong}}}"#)).await;
        reply.refused(400, "invalidPropertyValue").about("deadlineDateTime");
    }
    let late = r#"{"status":"Running","deadlineDateTime":"2026-03-01T11:00:00Z"}"#;
    server.post(SET, late).await.refused(409, "deadlineExceeded").about("status");
}

#[tokio::test]
async fn a_held_key_answers_its_holder() {
    let server = Server::new().await;
    let first = server.post(SET, r#"{"id":"a","group":"nights","uniqueKey":"nightly"}"#).await;
    assert_eq!((first.is(201).member("uniqueKey"), first.member("group")), ("nightly".into(), "nights".into()));
    let again = server.post(SET, r#"{"id":"b","uniqueKey":"nightly"}"#).await;
    assert_eq!(again.is(200).member("id"), "a");
    assert!(again.header("location").is_some_and(|location| location.ends_with("/a")));
    let record = server.tracker.get(&"a".parse().unwrap()).await.unwrap();
    again.shows(&record);
    // Read-only from then on; a trace is kept as it came.
    let body = r#"{"uniqueKey":"other","group":7,"traceParent":null,"log":[],"statusDetail":"x"}"#;
    assert_eq!(server.patch(&record, body).await.is(200).member("uniqueKey"), "nightly");
    server.tracker.cancel(record.id()).await.unwrap();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = format!(r#"{{"id":"b","uniqueKey":"nightly","traceParent":"{trace}"}}"#);
    assert_eq!(server.post(SET, &body).await.is(201).member("traceParent"), trace);
    for (member, value) in
        [("uniqueKey", "\"\""), ("group", "\"\""), ("group", "7"), ("traceParent", "\"00-0-0-0\"")]
    {
        let reply = server.post(SET, &format!(r#"{{"{member}":{value}}}"#)).await;
        reply.refused(400, "invalidPropertyValue").about(member);
    }
    let listed = server.get(&format!("{SET}?$filter=group%20eq%20%27nights%27&$count=true")).await;
    assert_eq!(listed.is(200).json()["@odata.count"], 1);
    assert_eq!(server.get(&format!("{SET}/$count?$filter=group%20eq%20%27none%27")).await.is(200).text(), "0");
}

#[tokio::test]
async fn rule_094_the_clients_creation_is_ignored() {
    let server = Server::new().await;
    let reply =
        server.post(SET, r#"{"createdDateTime":"2001-01-01T00:00:00Z","holder":"x","startedDateTime":7}"#).await;
    assert_eq!(reply.is(201).member("createdDateTime"), "2026-03-01T12:00:00.1234567Z");
    assert!(reply.json().get("holder").is_none());
}

#[tokio::test]
async fn rule_095_none_begins_at_its_end() {
    let server = Server::new().await;
    for status in ["Completed", "Failed"] {
        let reply = server.post(SET, &format!(r#"{{"id":"a","status":"{status}"}}"#)).await;
        reply.refused(400, "invalidInitialStatus").about("status");
    }
    assert_eq!(server.tracker.counts().await.unwrap().total(), 0);
}

#[tokio::test]
async fn rule_096_the_id_makes_a_create_repeatable() {
    let server = Server::new().await;
    let body = r#"{"id":"order-7","type":"export","labels":{"a":"b"},"retryOf":"order-6"}"#;
    let first = server.post(SET, body).await;
    assert_eq!(first.is(201).member("id"), "order-7");
    let record = server.tracker.get(&"order-7".parse().unwrap()).await.unwrap();
    let again = r#"{"id":"order-7","type":"export","labels":{"a":"b"},"retryOf":"order-6","status":"Running","statusDetail":"x"}"#;
    let reply = server.post(SET, again).await;
    reply.is(200).shows(&record);
    assert_eq!(reply.header("location"), first.header("location"));
    for other in [
        r#"{"id":"order-7"}"#,
        r#"{"id":"order-7","type":"import","labels":{"a":"b"},"retryOf":"order-6"}"#,
        r#"{"id":"order-7","type":"export","labels":{},"retryOf":"order-6"}"#,
        r#"{"id":"order-7","type":"export","labels":{"a":"b"}}"#,
    ] {
        server.post(SET, other).await.refused(409, "operationAlreadyExists").about("id");
    }
    assert_eq!(server.tracker.get(record.id()).await.unwrap(), record);
    server.post(SET, r#"{"id":"bare","labels":{}}"#).await.is(201);
    server.post(SET, r#"{"id":"bare","labels":null}"#).await.is(200);
    server.post(SET, r#"{"id":null}"#).await.is(201);
    for id in [".", "..", "a b", "", "a/b", "é"] {
        server.post(SET, &format!(r#"{{"id":"{id}"}}"#)).await.refused(400, "invalidPropertyValue").about("id");
    }
}

#[tokio::test]
async fn rule_097_minimal_create() {
    let server = Server::new().await;
    let reply = server.send("POST", SET, &[JSON, ("Prefer", "return=minimal")], r#"{"id":"m"}"#).await;
    let url = format!("http://{}{SET}/m", server.address);
    assert_eq!(reply.is(204).header("location"), Some(&*url));
    assert_eq!(reply.header("odata-entityid"), Some(&*url));
    assert_eq!((reply.header("preference-applied"), reply.header("etag")), (Some("return=minimal"), None));
    assert_eq!(server.tracker.get(&"m".parse().unwrap()).await.unwrap().status(), Status::NotStarted);
}

#[tokio::test]
async fn rule_098_patch_creates_nothing() {
    let server = Server::new().await;
    for headers in [&[JSON][..], &[JSON, ("If-None-Match", "*")], &[JSON, ("If-Match", "*")]] {
        let reply = server.send("PATCH", &format!("{SET}/new"), headers, r#"{"status":"Running"}"#).await;
        reply.refused(404, "operationNotFound");
    }
    assert_eq!(server.tracker.counts().await.unwrap().total(), 0);
}

#[tokio::test]
async fn rule_099_delete_what_has_ended() {
    let server = Server::new().await;
    let operation = server.at(Status::Completed).await;
    let path = entity(&operation);
    server.send("DELETE", &path, &[("If-Match", "\"old\"")], "").await.refused(412, "entityTagDoesNotMatch");
    server.send("DELETE", &path, &[("If-None-Match", "*")], "").await.refused(412, "entityTagMatches");
    assert_eq!(server.record(&operation).await, operation);
    let tag = operation.etag().to_string();
    let reply = server.send("DELETE", &path, &[("If-Match", &tag)], "").await;
    assert_eq!((reply.is(204).body.len(), reply.header("etag")), (0, None));
    server.get(&path).await.refused(404, "operationNotFound");
    server.send("DELETE", &path, &[], "").await.refused(404, "operationNotFound");
    assert_eq!(server.tracker.get(operation.id()).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn rule_100_but_nothing_that_is_active() {
    let server = Server::new().await;
    for status in [Status::NotStarted, Status::Running] {
        let operation = server.at(status).await;
        let reply = server.send("DELETE", &entity(&operation), &[], "").await;
        reply.refused(409, "operationActive").about("status");
        assert_eq!(server.record(&operation).await, operation);
    }
}

#[tokio::test]
async fn rule_101_no_put() {
    let server = Server::new().await;
    let operation = server.created().await;
    let reply = server.send("PUT", &entity(&operation), &[JSON], r#"{"status":"Running"}"#).await;
    assert_eq!(reply.refused(405, "methodNotAllowed").header("allow"), Some("GET, HEAD, PATCH, DELETE, OPTIONS"));
    let reply = server.send("PUT", SET, &[JSON], "{}").await;
    assert_eq!(reply.refused(405, "methodNotAllowed").header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_102_options() {
    let server = Server::new().await;
    let operation = server.created().await;
    let reply = server.send("OPTIONS", &entity(&operation), &[], "").await;
    assert_eq!(reply.is(204).header("allow"), Some("GET, HEAD, PATCH, DELETE, OPTIONS"));
    assert_eq!(reply.header("accept-patch"), Some("application/json, application/merge-patch+json"));
    let reply = server
        .send("OPTIONS", SET, &[("Origin", "https://a.example"), ("Access-Control-Request-Method", "PATCH")], "")
        .await;
    assert_eq!(
        (reply.is(204).header("allow"), reply.header("accept-patch")),
        (Some("GET, HEAD, POST, OPTIONS"), None)
    );
    assert!(reply.headers.iter().all(|(name, _)| !name.starts_with("access-control")));
}

#[tokio::test]
async fn rule_119_other_methods() {
    let server = Server::new().await;
    let operation = server.created().await;
    for method in ["TRACE", "QUERY", "PROPFIND", "get", "POST"] {
        let reply = server.send(method, &entity(&operation), &[], "").await;
        assert!(reply.refused(405, "methodNotAllowed").header("allow").is_some(), "{method}");
    }
    let head = server.send("HEAD", &entity(&operation), &[], "").await;
    assert_eq!(head.is(200).header("etag"), Some(&*operation.etag().to_string()));
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_127_no_repeatable_requests() {
    let server = Server::new().await;
    let id = ("Repeatability-Request-ID", "2f5ae6b2-5e6f-4b6c-9b0f-1b8f1c1f7a11");
    let reply = server.send("POST", SET, &[JSON, id], "{}").await;
    assert_eq!(reply.refused(501, "repeatabilityNotSupported").header("repeatability-result"), Some("rejected"));
    assert_eq!(server.tracker.counts().await.unwrap().total(), 0);
    let operation = server.created().await;
    server.patch_with(&operation, &[id], r#"{"status":"Running"}"#).await.refused(501, "repeatabilityNotSupported");
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_129_a_mount_may_want_a_condition() {
    let server = Server::with(longrun::http::Access::open(), longrun::http::Graph::require_if_match).await;
    let operation = server.created().await;
    server.patch(&operation, r#"{"status":"Running"}"#).await.refused(428, "preconditionRequired");
    server.send("DELETE", &entity(&operation), &[], "").await.refused(428, "preconditionRequired");
    assert_eq!(server.record(&operation).await, operation);
    server.patch_with(&operation, &[("If-Match", "*")], r#"{"status":"Running"}"#).await.is(200);
    let free = Server::new().await;
    let operation = free.created().await;
    free.patch(&operation, r#"{"status":"Running"}"#).await.is(200);
}

#[tokio::test]
async fn rule_130_what_ended_stays_a_day_and_goes_after_its_time() {
    use std::time::Duration;
    let clock = longrun::clock::ManualClock::new(crate::support::date(crate::support::START));
    // As the example server keeps them.
    let month = Duration::from_hours(30 * 24);
    let builder = longrun::Tracker::builder().clock(clock.clone()).retention(None, Status::Completed, month);
    let tracker = builder.in_memory().await.unwrap();
    let router = longrun::http::graph(tracker.clone(), longrun::http::Access::open()).path(SET).router();
    let address = crate::support::listen(router, longrun::http::Limits::default()).await;
    let server = Server { address, tracker, clock };
    let operation = server.at(Status::Completed).await;
    let active = server.at(Status::Running).await;
    for (passed, status) in [(Duration::from_hours(24), 200), (Duration::from_hours(29 * 24 + 1), 404)] {
        server.clock.advance(passed);
        server.tracker.sweep().await.unwrap();
        server.get(&entity(&operation)).await.is(status);
        server.get(&entity(&active)).await.is(200);
    }
}
