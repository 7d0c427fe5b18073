//! PROTOCOL 0: the page's request, applied; the page's response, byte for byte.

use longrun::clock::ManualClock;
use longrun::{NewOperation, OperationId, Patch, Status, Tracker, wire};
use serde_json::Value;

use crate::support::date;

const REQUEST: &str = "{\r\n  \"@odata.type\": \"#microsoft.graph.operation\",\r\n  \"status\": \"String\",\r\n  \
    \"lastActionDateTime\": \"2017-01-01T00:01:23.8467386+03:00\"\r\n}";
const RESPONSE: &str = "{\r\n  \"@odata.type\": \"#microsoft.graph.operation\",\r\n  \
    \"id\": \"b9c58abd-8abd-b9c5-bd8a-c5b9bd8ac5b9\",\r\n  \"status\": \"String\",\r\n  \
    \"createdDateTime\": \"2016-12-31T23:57:22.3554145+03:00\",\r\n  \
    \"lastActionDateTime\": \"2017-01-01T00:01:23.8467386+03:00\"\r\n}";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_replayed_byte_for_byte() {
    let request = REQUEST.replace("String", "Failed");
    assert_eq!((REQUEST.len(), request.len(), RESPONSE.len()), (136, 136, 244));
    let clock = ManualClock::new(date("2016-12-31T23:57:22.3554145+03:00"));
    let tracker = Tracker::builder().clock(clock.clone()).in_memory().await.unwrap();
    let id: OperationId = "b9c58abd-8abd-b9c5-bd8a-c5b9bd8ac5b9".parse().unwrap();
    tracker.create(NewOperation::untyped().id(id.clone())).await.unwrap();
    let running = tracker.patch(&id, Patch::new().status(Status::Running)).await.unwrap();
    clock.set(date("2017-01-01T00:01:23.8467386+03:00"));

    // The page's own placeholder is no status.
    let refused = tracker.patch_json(&id, None, REQUEST.as_bytes()).await.unwrap_err();
    assert_eq!((refused.http_status(), refused.target()), (400, Some("status")));

    let tag = running.etag().to_string();
    let failed = tracker.patch_json(&id, Some(&tag), request.as_bytes()).await.unwrap();
    let answer: Value = serde_json::from_str(&wire::to_json(&wire::Entity::new(&failed))).unwrap();
    let members = ["@odata.type", "id", "status", "createdDateTime", "lastActionDateTime"];
    let lines: Vec<_> = members.map(|name| format!("  \"{name}\": {}", answer[name])).into();
    let printed = format!("{{\r\n{}\r\n}}", lines.join(",\r\n"));
    assert_eq!(printed.len(), 244);
    assert_eq!(printed, RESPONSE.replace("String", "Failed"));
}
