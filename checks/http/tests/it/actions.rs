//! Cancel and start (PROTOCOL e, 135).

use longrun::{NewOperation, Patch, Status};

use crate::support::{JSON, SET, Server, entity};

#[tokio::test]
async fn rule_135_start_claims() {
    let server = Server::new().await;
    let operation = server.created().await;
    let path = format!("{}/start", entity(&operation));
    let mine = r#"{"holder":"worker-7"}"#;
    let first = server.post(&path, mine).await;
    let record = server.record(&operation).await;
    first.is(200).shows(&record);
    assert_eq!((record.status(), record.holder()), (Status::Running, Some("worker-7")));
    let again = server.post(&path, mine).await;
    assert_eq!((again.is(200).text(), again.header("etag")), (first.text(), first.header("etag")));
    for body in [r#"{"holder":"worker-8"}"#, "{}"] {
        let reply = server.post(&path, body).await;
        let inner = reply.refused(409, "invalidStatusTransition").json()["error"]["innerError"].clone();
        assert_eq!((&inner["currentStatus"], &inner["holder"]), (&"Running".into(), &"worker-7".into()));
    }
    assert_eq!(server.record(&operation).await, record);
    server.tracker.complete(operation.id(), 1).await.unwrap();
    server.post(&path, mine).await.refused(409, "operationTerminal");
    // A PATCH of Running writes no holder, and is no claim to repeat.
    let patched = server.at(Status::Running).await;
    server.post(&format!("{}:start", entity(&patched)), mine).await.refused(409, "invalidStatusTransition");
    assert_eq!(server.record(&patched).await, patched);
}

#[tokio::test]
async fn start_without_a_holder_and_with_conditions() {
    let server = Server::new().await;
    let operation = server.created().await;
    let path = format!("{SET}('{}')/microsoft.graph.start", operation.id());
    server.send("POST", &path, &[("If-Match", "\"old\"")], "").await.refused(412, "entityTagDoesNotMatch");
    server.send("POST", &path, &[JSON, ("If-Match", "\"old\"")], "[").await.refused(412, "entityTagDoesNotMatch");
    for (body, code) in [
        ("[", "malformedBody"),
        (r#"{"who":1}"#, "unknownProperty"),
        (r#"{"holder":""}"#, "invalidPropertyValue"),
        (r#"{"holder":"open:1:1"}"#, "invalidPropertyValue"),
        (r#"{"holder":"a\u0000"}"#, "invalidPropertyValue"),
    ] {
        server.post(&path, body).await.refused(400, code);
    }
    server.send("POST", &path, &[("Content-Type", "text/plain")], "x").await.refused(415, "unsupportedMediaType");
    assert_eq!(server.record(&operation).await, operation);
    let tag = operation.etag().to_string();
    let reply = server.send("POST", &path, &[("If-Match", &tag)], "").await;
    reply.is(200).shows(&server.record(&operation).await);
    assert!(reply.member("holder").starts_with("http:"));
}

#[tokio::test]
async fn cancel_ends_what_has_not_begun() {
    let server = Server::new().await;
    let operation = server.created().await;
    let path = format!("{}/cancel", entity(&operation));
    server.send("POST", &path, &[("If-Match", "\"old\"")], "").await.refused(412, "entityTagDoesNotMatch");
    assert_eq!(server.record(&operation).await, operation);
    assert!(server.send("POST", &path, &[], "").await.is(204).body.is_empty());
    let record = server.record(&operation).await;
    assert_eq!((record.status(), record.failure().unwrap().code()), (Status::Failed, "cancelled"));
    assert_eq!(record.started(), Some(record.last_action()));
    assert!(record.cancellation_requested().is_none());
    server.post(&path, "{}").await.is(204);
    assert_eq!(server.record(&operation).await, record);
}

#[tokio::test]
async fn cancel_asks_what_runs() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let path = format!("{}:cancel", entity(&operation));
    server.send("POST", &path, &[], "").await.is(204);
    let record = server.record(&operation).await;
    assert_eq!((record.status(), record.version().n()), (Status::Running, operation.version().n() + 1));
    assert_eq!(record.last_action(), operation.last_action());
    let shown = server.get(&entity(&operation)).await;
    shown.shows(&record);
    assert_eq!(shown.member("cancellationRequestedDateTime"), "2026-03-01T12:00:00.1234567Z");
    server.send("POST", &path, &[], "").await.is(204);
    assert_eq!(server.record(&operation).await, record);
    let ended = server.at(Status::Completed).await;
    server.send("POST", &format!("{}/cancel", entity(&ended)), &[], "").await.refused(409, "operationTerminal");
}

#[tokio::test]
async fn members_beyond_the_four_follow_the_state() {
    let server = Server::new().await;
    let operation = server.created().await;
    let run = |body: &'static str| server.patch(&operation, body);
    run(r#"{"percentageComplete":5}"#).await.refused(409, "progressNotSettable").about("percentageComplete");
    run(r#"{"status":"Running","percentageComplete":50,"statusDetail":"half"}"#).await.is(200);
    run(r#"{"percentageComplete":49}"#).await.refused(409, "progressRegressed").about("percentageComplete");
    run(r#"{"result":1}"#).await.refused(409, "resultNotSettable").about("result");
    run(r#"{"status":"Failed","resourceLocation":"/x"}"#)
        .await
        .refused(409, "resultNotSettable")
        .about("resourceLocation");
    run(r#"{"resourceLocation":"::"}"#).await.refused(400, "invalidPropertyValue").about("resourceLocation");
    let long = format!(r#"{{"statusDetail":"{}"}}"#, "é".repeat(513));
    server.patch(&operation, &long).await.refused(400, "invalidPropertyValue").about("statusDetail");
    run(r#"{"statusDetail":null,"resourceLocation":"/x"}"#).await.is(200);
    let big = format!(r#"{{"status":"Completed","result":"{}"}}"#, "x".repeat(64 * 1024));
    server.patch(&operation, &big).await.refused(400, "invalidPropertyValue").about("result");
    let reply = run(r#"{"status":"Completed","result":{"b":1,"a":[2,null]}}"#).await;
    let record = server.record(&operation).await;
    reply.is(200).shows(&record);
    assert!(reply.text().contains(r#""result":{"b":1,"a":[2,null]}"#));
    assert_eq!(
        (record.detail(), record.resource_location(), record.progress().unwrap().percent()),
        (None, Some("/x"), 100)
    );
    let new = NewOperation::new("export").patch(Patch::new().status(Status::Running));
    assert_eq!(server.tracker.create(new).await.unwrap().status(), Status::Running);
}
