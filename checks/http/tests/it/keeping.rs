//! FAULTS 37 and 43 over HTTP: no room for one more, and a record that cannot be read.

use std::sync::Arc;

use longrun::clock::ManualClock;
use longrun::http::{Access, Limits};
use longrun::store::embedded::{Embedded, Engine};
use longrun::store::{MemoryEngine, record};
use longrun::{NewOperation, OperationId, Tracker};

use crate::support::{SET, START, Server, date, entity};

#[tokio::test]
async fn without_room_a_create_is_507_and_all_else_goes_on() {
    let clock = ManualClock::new(date(START));
    let tracker = Tracker::builder().clock(clock.clone()).max_operations(2).in_memory().await.unwrap();
    let server = Server::over(tracker, clock, Access::open(), Limits::default(), |graph| graph).await;
    let first = r#"{"id": "first", "type": "export"}"#;
    server.post(SET, first).await.is(201);
    let second = server.created().await;
    let refused = server.post(SET, r#"{"type": "export"}"#).await;
    refused.refused(507, "operationLimitReached");
    assert_eq!(refused.json()["error"]["code"], "insufficientStorage");
    let told = "at most 2 operations are kept, there are 2: delete some that have ended";
    assert_eq!(refused.json()["error"]["message"], told);
    assert_eq!(refused.header("Retry-After"), None, "waiting alone makes no room");
    // The same create again is answered, a change and an end are taken.
    server.post(SET, first).await.is(200);
    server.patch(&second, r#"{"status": "Running"}"#).await.is(200);
    server.patch(&second, r#"{"status": "Completed"}"#).await.is(200);
    server.post(SET, r#"{"type": "export"}"#).await.refused(507, "operationLimitReached");
    server.send("DELETE", &entity(&second), &[], "").await.is(204);
    server.post(SET, r#"{"type": "export"}"#).await.is(201);
}

#[tokio::test]
async fn a_list_names_what_it_cannot_read_and_serves_the_others() {
    let (clock, bytes) = (ManualClock::new(date(START)), MemoryEngine::default());
    let engine = bytes.clone();
    let store = Embedded::open(move || Ok(engine.clone()), Arc::new(clock.clone()), true).await.unwrap();
    let tracker = Tracker::builder().clock(clock.clone()).open_store(Arc::new(store)).await.unwrap();
    let server = Server::over(tracker, clock, Access::open(), Limits::default(), |graph| graph).await;
    for name in ["a", "b", "c"] {
        let id: OperationId = name.parse().unwrap();
        // What has ended is kept in memory only once it was asked for.
        server.tracker.create(NewOperation::new("export").id(id.clone())).await.unwrap();
        server.tracker.cancel(&id).await.unwrap();
    }
    let list = server.get(&format!("{SET}?$top=1")).await.is(200).json();
    assert_eq!((&list["value"][0]["id"], list.get("@longrun.unreadable")), (&"a".into(), None));
    let key = record::key(&"b".parse().unwrap());
    let mut spoilt = bytes.get(&key).unwrap().unwrap();
    *spoilt.last_mut().unwrap() ^= 1;
    bytes.put(&key, &spoilt).unwrap();
    let list = server.get(SET).await.is(200).json();
    assert_eq!(list["@longrun.unreadable"], serde_json::json!(["b"]));
    let ids: Vec<_> = list["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "c"]);
    server.get(&format!("{SET}/b")).await.refused(500, "storeCorrupt");
}
