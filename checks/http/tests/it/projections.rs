//! The Azure and Google faces, and the counters.

use longrun::http::{self, Access, Limits};
use longrun::{Failure, NewOperation, Status};
use serde_json::json;

use crate::support::{Server, listen};

#[tokio::test]
async fn azure_says_its_own_words() {
    let server = Server::new().await;
    let operation = server.created().await;
    let path = format!("/azure/operations/{}", operation.id());
    let reply = server.get(&path).await;
    assert_eq!((reply.is(200).member("status"), reply.header("retry-after")), ("NotStarted".into(), Some("1")));
    let url = format!("http://{}{path}", server.address);
    assert_eq!(reply.header("operation-location"), Some(&*url));
    server.walk(&operation, Status::Running).await;
    assert_eq!(server.get(&path).await.member("status"), "Running");
    server.tracker.complete(operation.id(), json!({"rows": 3})).await.unwrap();
    let reply = server.get(&path).await;
    assert_eq!((reply.member("status"), &reply.json()["result"]), ("Succeeded".into(), &json!({"rows": 3})));
    assert_eq!((reply.header("retry-after"), &reply.json()["percentComplete"]), (None, &100.into()));
    let failed = server.at(Status::Failed).await;
    let reply = server.get(&format!("/azure/operations/{}", failed.id())).await;
    assert_eq!(reply.json()["error"], json!({"code": "failed", "message": "the operation failed"}));
    let cancelled = server.created().await;
    let reply = server.send("POST", &format!("/azure/operations/{}:cancel", cancelled.id()), &[], "").await;
    assert_eq!(
        (reply.is(202).member("status"), reply.json()["error"]["code"].clone()),
        ("Canceled".into(), "cancelled".into())
    );
    assert_eq!(server.record(&cancelled).await.status(), Status::Failed);
    let reply = server.get("/azure/operations/nope").await;
    assert_eq!(
        (reply.is(404).header("x-ms-error-code"), reply.json()["error"]["innerError"]["code"].clone()),
        (Some("notFound"), "operationNotFound".into())
    );
    server.send("PATCH", &path, &[], "").await.is(405);
    server.get("/azure/operations").await.is(404);
}

#[tokio::test]
async fn google_speaks_protobufs_json() {
    let server = Server::new().await;
    let operation = server.created().await;
    let path = format!("/v1/longrun/operations/{}", operation.id());
    let body = server.get(&path).await.is(200).json();
    assert_eq!(body["name"], format!("longrun/operations/{}", operation.id()));
    assert_eq!(
        (body.get("done"), &body["metadata"]["@type"]),
        (None, &"type.googleapis.com/google.protobuf.Struct".into())
    );
    assert_eq!(body["metadata"]["value"]["status"], "NotStarted");
    server.walk(&operation, Status::Running).await;
    server.tracker.complete(operation.id(), 42).await.unwrap();
    let body = server.get(&path).await.json();
    assert_eq!((&body["done"], &body["response"]["value"], body.get("error")), (&true.into(), &42.into(), None));
    let reply = server.send("POST", &format!("{path}:cancel"), &[], "{}").await;
    assert_eq!(reply.is(400).json()["error"]["status"], "FAILED_PRECONDITION");
    let other = server.created().await;
    let path = format!("/v1/longrun/operations/{}", other.id());
    server.send("DELETE", &path, &[], "").await.is(400);
    assert_eq!(server.send("POST", &format!("{path}:cancel"), &[], "{}").await.is(200).text(), "{}");
    assert_eq!(server.get(&path).await.json()["error"]["code"], 1);
    let timed_out = server.at(Status::Running).await;
    server.tracker.fail(timed_out.id(), Failure::new(Failure::TIMEOUT, "late")).await.unwrap();
    let body = server.get(&format!("/v1/longrun/operations/{}", timed_out.id())).await.json();
    assert_eq!(body["error"], json!({"code": 4, "message": "late"}));
    let list = server.get("/v1/longrun/operations?pageSize=2").await.json();
    let token = list["nextPageToken"].as_str().unwrap();
    let rest = server.get(&format!("/v1/longrun/operations?pageSize=2&pageToken={token}")).await.json();
    assert_eq!(
        (list["operations"].as_array().unwrap().len(), rest["operations"].as_array().unwrap().len()),
        (2, 1)
    );
    assert!(rest.get("nextPageToken").is_none());
    assert_eq!(server.get("/v1/longrun/operations/nope").await.is(404).json()["error"]["status"], "NOT_FOUND");
    server.get("/v1/longrun/operations?filter=a").await.is(501);
    assert_eq!(server.send("DELETE", &path, &[], "").await.is(200).text(), "{}");
    server.get(&path).await.is(404);
}

#[tokio::test]
async fn counters_have_no_ids() {
    let server = Server::new().await;
    for _ in 0..20 {
        server.created().await;
    }
    server.tracker.create(NewOperation::new("a\"b\\c")).await.unwrap();
    let reply = server.get("/metrics").await;
    let series: Vec<_> = reply.is(200).text().lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        series,
        [
            r#"longrun_operations{type="a\"b\\c",status="NotStarted"} 1"#,
            r#"longrun_operations{type="export",status="NotStarted"} 20"#,
            "longrun_watchers 0",
        ]
    );
}

#[tokio::test]
async fn counters_serve_what_a_recorder_renders_too() {
    let server = Server::new().await;
    let also = || "recorded_total 7\n".to_owned();
    let router = http::counters(server.tracker.clone(), Access::open()).also(also).router();
    let address = listen(router, Limits::default()).await;
    let reply = Server { address, ..server }.get("/metrics").await;
    let text = reply.is(200).text().to_owned();
    assert!(text.ends_with("longrun_watchers 0\nrecorded_total 7\n"), "{text}");
}
