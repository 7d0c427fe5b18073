//! D. State machine.

use longrun::Status;

use crate::support::{Server, entity};

#[tokio::test]
async fn rule_061_all_sixteen_pairs() {
    use Status::{Completed, Failed, NotStarted, Running};
    let moves = [(NotStarted, Running), (Running, Completed), (Running, Failed)];
    let server = Server::new().await;
    let (mut moved, mut kept, mut refused) = (0, 0, 0);
    for from in Status::ALL {
        for to in Status::ALL {
            let operation = server.at(from).await;
            let reply = server.patch(&operation, &format!(r#"{{"status":"{to}"}}"#)).await;
            let after = server.record(&operation).await;
            if moves.contains(&(from, to)) {
                reply.is(200).shows(&after);
                assert_eq!((after.status(), after.version().n()), (to, operation.version().n() + 1));
                moved += 1;
            } else if from == to {
                reply.is(200).shows(&operation);
                assert_eq!(after, operation);
                kept += 1;
            } else {
                assert_eq!(reply.is(409).json()["error"]["target"], "status");
                assert_eq!(after, operation);
                let get = server.get(&entity(&operation)).await;
                assert_eq!(get.header("etag"), Some(&*operation.etag().to_string()));
                refused += 1;
            }
        }
    }
    assert_eq!((moved, kept, refused), (3, 4, 9));
}

#[tokio::test]
async fn rule_062_out_of_the_end() {
    let server = Server::new().await;
    for from in [Status::Completed, Status::Failed] {
        for to in Status::ALL.into_iter().filter(|to| *to != from) {
            let operation = server.at(from).await;
            let reply = server.patch(&operation, &format!(r#"{{"status":"{to}"}}"#)).await;
            reply.refused(409, "operationTerminal").about("status");
            let inner = &reply.json()["error"]["innerError"];
            assert_eq!(
                (&inner["currentStatus"], &inner["allowed"]),
                (&from.as_str().into(), &serde_json::json!([]))
            );
            assert_eq!(server.record(&operation).await, operation);
        }
    }
}

#[tokio::test]
async fn rule_063_no_arrow_is_skipped() {
    let server = Server::new().await;
    for (from, to, allowed) in [
        (Status::NotStarted, Status::Completed, serde_json::json!(["Running"])),
        (Status::NotStarted, Status::Failed, serde_json::json!(["Running"])),
        (Status::Running, Status::NotStarted, serde_json::json!(["Completed", "Failed"])),
    ] {
        let operation = server.at(from).await;
        let reply = server.patch(&operation, &format!(r#"{{"status":"{to}"}}"#)).await;
        reply.refused(409, "invalidStatusTransition").about("status");
        let inner = &reply.json()["error"]["innerError"];
        assert_eq!((&inner["currentStatus"], &inner["allowed"]), (&from.as_str().into(), &allowed));
        assert_eq!(server.record(&operation).await, operation);
    }
}

#[tokio::test]
async fn rule_064_what_is_refused_applies_none_of_its_parts() {
    let server = Server::new().await;
    let operation = server.created().await;
    let body = r#"{"statusDetail":"done","resourceLocation":"/x","lastActionDateTime":"2026-03-01T12:01:00Z","status":"Completed"}"#;
    server.patch(&operation, body).await.refused(409, "invalidStatusTransition");
    assert_eq!(server.record(&operation).await, operation);
    let running = server.walk(&operation, Status::Running).await;
    let body = r#"{"statusDetail":"x","percentageComplete":101,"status":"Completed"}"#;
    server.patch(&operation, body).await.refused(400, "invalidPropertyValue").about("percentageComplete");
    assert_eq!(server.record(&operation).await, running);
}
