//! E. lastActionDateTime and error.

use std::time::Duration;

use longrun::{Operation, Status};
use serde_json::Value;

use crate::support::{SET, Server, date, entity};

async fn at_time(server: &Server, status: Status, time: &str) -> Operation {
    let operation = server.at(status).await;
    let reply = server.patch(&operation, &format!(r#"{{"lastActionDateTime":"{time}"}}"#)).await;
    reply.is(200);
    server.record(&operation).await
}

fn time(text: &str) -> String {
    format!(r#"{{"lastActionDateTime":"{text}"}}"#)
}

#[tokio::test]
async fn rule_065_a_later_time_is_a_sign_of_life() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let reply = server.patch(&operation, &time("2026-03-01T12:00:30+00:00")).await;
    let record = server.record(&operation).await;
    reply.is(200).shows(&record);
    assert_eq!((record.status(), record.last_action()), (Status::Running, date("2026-03-01T12:00:30Z")));
    assert_ne!(record.etag(), operation.etag());
}

#[tokio::test]
async fn rule_066_the_same_time_changes_nothing() {
    let server = Server::new().await;
    let operation = at_time(&server, Status::Running, "2026-03-01T12:00:30.1234567Z").await;
    server.clock.advance(Duration::from_mins(1));
    for same in ["2026-03-01T12:00:30.1234567Z", "2026-03-01T15:00:30.1234567+03:00"] {
        server.patch(&operation, &time(same)).await.is(200).shows(&operation);
        assert_eq!(server.record(&operation).await, operation);
    }
}

#[tokio::test]
async fn rule_067_cut_or_rounded_it_is_the_same() {
    let server = Server::new().await;
    let operation = at_time(&server, Status::Running, "2026-03-01T12:00:30.1236567Z").await;
    for same in ["30.123Z", "30.124Z", "30.123656Z", "30.123657Z"] {
        server.patch(&operation, &time(&format!("2026-03-01T12:00:{same}"))).await.is(200).shows(&operation);
        assert_eq!(server.record(&operation).await, operation);
    }
}

#[tokio::test]
async fn rule_068_read_modify_write_with_a_cut_time_moves_on() {
    let server = Server::new().await;
    let operation = at_time(&server, Status::Running, "2026-03-01T12:00:30.1236567Z").await;
    server.clock.advance(Duration::from_secs(90));
    let mut whole = server.get(&entity(&operation)).await.json();
    whole["status"] = "Completed".into();
    whole["lastActionDateTime"] = "2026-03-01T12:00:30.123Z".into();
    whole["createdDateTime"] = "2026-03-01T12:00:00.123Z".into();
    let reply = server.patch(&operation, &whole.to_string()).await;
    let record = server.record(&operation).await;
    reply.is(200).shows(&record);
    assert_eq!(record.status(), Status::Completed);
    assert_eq!(record.last_action(), date("2026-03-01T12:01:30.1234567Z"));
    assert_eq!(record.created(), operation.created());
}

#[tokio::test]
async fn rule_069_a_little_earlier_is_stamped_and_never_goes_back() {
    let server = Server::new().await;
    let operation = at_time(&server, Status::Running, "2026-03-01T12:02:00Z").await;
    let reply = server.patch(&operation, &time("2026-03-01T11:58:00Z")).await;
    let record = server.record(&operation).await;
    reply.is(200).shows(&record);
    // The clock stands before what is stored: one tick on is all that is left.
    assert_eq!(reply.member("lastActionDateTime"), "2026-03-01T12:02:00.0000001Z");
    server.clock.advance(Duration::from_mins(4));
    let reply = server.patch(&operation, &time("2026-03-01T12:01:00Z")).await;
    assert_eq!(reply.is(200).member("lastActionDateTime"), "2026-03-01T12:04:00.1234567Z");
}

#[tokio::test]
async fn rule_070_much_earlier_is_refused() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    for early in ["2026-03-01T11:54:59Z", "2016-03-01T12:00:00Z", "0001-01-01T00:00:00Z"] {
        let reply = server.patch(&operation, &time(early)).await;
        reply.refused(409, "lastActionDateTimeRegressed").about("lastActionDateTime");
        assert_eq!(server.record(&operation).await, operation);
    }
    let created = server.created().await;
    server.patch(&created, &time("2026-03-01T11:50:00Z")).await.refused(409, "lastActionDateTimeRegressed");
    assert_eq!(server.record(&created).await, created);
}

#[tokio::test]
async fn rule_071_far_in_the_future_is_refused() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let reply = server.patch(&operation, &time("2026-03-01T12:05:01Z")).await;
    reply.refused(409, "dateTimeInFuture").about("lastActionDateTime");
    assert_eq!(server.record(&operation).await, operation);
    server.patch(&operation, &time("2026-03-01T12:05:00Z")).await.is(200).shows(&server.record(&operation).await);
}

#[tokio::test]
async fn rule_072_after_the_end_no_later_time() {
    let server = Server::new().await;
    for status in [Status::Completed, Status::Failed] {
        let operation = server.at(status).await;
        for body in [
            time("2026-03-01T12:00:01Z"),
            format!(r#"{{"status":"{status}","lastActionDateTime":"2026-03-01T12:00:01Z"}}"#),
        ] {
            server.patch(&operation, &body).await.refused(409, "operationTerminal");
            assert_eq!(server.record(&operation).await, operation);
        }
        for early in ["2026-03-01T12:00:00Z", "2020-01-01T00:00:00Z"] {
            server.patch(&operation, &time(early)).await.is(200).shows(&operation);
        }
        assert_eq!(server.record(&operation).await, operation);
    }
}

#[tokio::test]
async fn rule_073_the_last_patch_again() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    server.patch(&operation, r#"{"percentageComplete":60}"#).await.is(200);
    let body = r#"{"status":"Completed","percentageComplete":70,"lastActionDateTime":"2026-03-01T11:00:00Z","result":[1,2]}"#;
    let first = server.patch(&operation, body).await;
    let record = server.record(&operation).await;
    first.is(200).shows(&record);
    assert_eq!(record.progress().unwrap().percent(), 100);
    server.clock.advance(Duration::from_secs(5));
    let again = server.patch(&operation, body).await;
    again.is(200).shows(&record);
    assert_eq!(again.body, first.body);
    assert_eq!(server.record(&operation).await, record);
}

#[tokio::test]
async fn rule_121_the_reason_goes_with_the_failure() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let body =
        r#"{"status":"Failed","error":{"code":"noRows","message":"nothing","target":"x","details":[{"a":1}]}}"#;
    let reply = server.patch(&operation, body).await;
    let record = server.record(&operation).await;
    reply.is(200).shows(&record);
    let sent: Value = serde_json::from_str(body).unwrap();
    assert_eq!(reply.json()["error"], sent["error"]);
    let whole = server.get(&entity(&operation)).await;
    server.patch(&operation, whole.text()).await.is(200).shows(&record);
    assert_eq!(server.record(&operation).await, record);
}

#[tokio::test]
async fn rule_122_and_nowhere_else() {
    let server = Server::new().await;
    let reason = r#""error":{"code":"a","message":"b"}"#;
    for (status, body) in [
        (Status::NotStarted, format!("{{{reason}}}")),
        (Status::NotStarted, format!(r#"{{"status":"Running",{reason}}}"#)),
        (Status::Running, format!("{{{reason}}}")),
        (Status::Running, format!(r#"{{"status":"Completed",{reason}}}"#)),
    ] {
        let operation = server.at(status).await;
        server.patch(&operation, &body).await.refused(409, "errorNotSettable").about("error");
        assert_eq!(server.record(&operation).await, operation);
        assert!(server.get(&entity(&operation)).await.json().get("error").is_none());
    }
    let total = server.tracker.counts().await.unwrap().total();
    server.post(SET, &format!("{{{reason}}}")).await.refused(409, "errorNotSettable").about("error");
    assert_eq!(server.tracker.counts().await.unwrap().total(), total);
    let failed = server.at(Status::Failed).await;
    assert!(server.get(&entity(&failed)).await.json().get("error").is_none());
    let operation = server.at(Status::Running).await;
    server.patch(&operation, r#"{"error":null}"#).await.is(200).shows(&operation);
    server.patch(&operation, r#"{"error":{}}"#).await.is(200).shows(&operation);
}
