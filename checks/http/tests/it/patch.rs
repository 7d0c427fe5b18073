//! B. PATCH that succeeds.

use std::time::Duration;

use longrun::Status;

use crate::support::{JSON, Server, date, entity};

#[tokio::test]
async fn rule_022_a_patch_merges_and_answers_the_entity() {
    let server = Server::new().await;
    let operation = server.created().await;
    let body = r##"{"@odata.type":"#microsoft.graph.operation","status":"Running","lastActionDateTime":"2026-03-01T15:01:23.8467386+03:00"}"##;
    let reply = server.patch(&operation, body).await;
    let record = server.record(&operation).await;
    reply.is(200).shows(&record);
    assert_eq!(record.status(), Status::Running);
    assert_eq!(record.last_action(), date("2026-03-01T15:01:23.8467386+03:00"));
}

#[tokio::test]
async fn rule_023_the_clients_time_comes_back_as_it_was() {
    let server = Server::new().await;
    let operation = server.created().await;
    for text in ["2026-03-01T15:01:00.1234567+03:00", "2026-03-01T07:02:00.5-05:00", "2026-03-01T12:03:00Z"] {
        let reply = server.patch(&operation, &format!(r#"{{"lastActionDateTime":"{text}"}}"#)).await;
        assert_eq!(reply.is(200).member("lastActionDateTime"), text);
        assert_eq!(server.get(&entity(&operation)).await.member("lastActionDateTime"), text);
    }
}

#[tokio::test]
async fn rule_024_absent_members_stay() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    server
        .patch(&operation, r#"{"percentageComplete":30,"statusDetail":"reading","resourceLocation":"/x"}"#)
        .await
        .is(200);
    let reply = server.patch(&operation, r#"{"percentageComplete":40}"#).await;
    let record = server.record(&operation).await;
    reply.is(200).shows(&record);
    assert_eq!((record.detail(), record.resource_location()), (Some("reading"), Some("/x")));
    assert_eq!((record.label("order"), record.type_name()), (Some("1742"), Some("export")));
    assert_eq!((record.status(), record.created()), (Status::Running, operation.created()));
}

#[tokio::test]
async fn rule_025_the_answer_is_the_next_get() {
    let server = Server::new().await;
    let operation = server.created().await;
    for body in [
        r#"{"status":"Running"}"#,
        r#"{"percentageComplete":1}"#,
        r#"{"status":"Completed","result":{"rows":[1]}}"#,
    ] {
        server.clock.advance(Duration::from_secs(1));
        let reply = server.patch(&operation, body).await;
        let get = server.get(&entity(&operation)).await;
        assert_eq!((reply.is(200).text(), reply.header("etag")), (get.text(), get.header("etag")));
    }
}

#[tokio::test]
async fn rule_026_the_tag_changes_with_a_property_and_only_then() {
    let server = Server::new().await;
    let operation = server.created().await;
    let mut tag = operation.etag().to_string();
    for (body, changes) in [
        (r#"{"status":"Running"}"#, true),
        (r#"{"status":"Running"}"#, false),
        (r#"{"statusDetail":"a"}"#, true),
        (r#"{"statusDetail":"a"}"#, false),
        (r#"{"id":"other"}"#, false),
        (r#"{"percentageComplete":5}"#, true),
        (r#"{"percentageComplete":5}"#, false),
        (r#"{"status":"Completed"}"#, true),
        (r#"{"status":"Completed"}"#, false),
    ] {
        let reply = server.patch(&operation, body).await;
        let next = reply.is(200).header("etag").unwrap().to_owned();
        assert_eq!(next != tag, changes, "{body}");
        assert_eq!(server.record(&operation).await.etag().to_string(), next);
        tag = next;
    }
}

#[tokio::test]
async fn rule_027_the_pages_own_body_is_refused() {
    let server = Server::new().await;
    let operation = server.created().await;
    let body = "{\r\n  \"@odata.type\": \"#microsoft.graph.operation\",\r\n  \"status\": \"String\",\r\n  \"lastActionDateTime\": \"2017-01-01T00:01:23.8467386+03:00\"\r\n}";
    assert_eq!(body.len(), 136);
    server.patch(&operation, body).await.refused(400, "invalidPropertyValue").about("status");
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_028_a_move_without_a_time_is_stamped() {
    let server = Server::new().await;
    let operation = server.created().await;
    server.clock.advance(Duration::from_secs(7));
    let reply = server.patch(&operation, r#"{"status":"Running"}"#).await;
    assert_eq!(reply.is(200).member("lastActionDateTime"), "2026-03-01T12:00:07.1234567Z");
    server.clock.advance(Duration::from_secs(7));
    // The stored time, sent back with the move, is no newer one.
    let body = r#"{"status":"Completed","lastActionDateTime":"2026-03-01T12:00:07.1234567Z"}"#;
    let reply = server.patch(&operation, body).await;
    assert_eq!(reply.is(200).member("lastActionDateTime"), "2026-03-01T12:00:14.1234567Z");
    reply.shows(&server.record(&operation).await);
}

#[tokio::test]
async fn rule_029_a_status_is_read_in_any_case() {
    let server = Server::new().await;
    let operation = server.created().await;
    for (given, shown) in [("notstarted", "NotStarted"), ("running", "Running"), ("COMPLETED", "Completed")] {
        let reply = server.patch(&operation, &format!(r#"{{"status":"{given}"}}"#)).await;
        assert_eq!(reply.is(200).member("status"), shown);
    }
    assert_eq!(server.record(&operation).await.status(), Status::Completed);
}

#[tokio::test]
async fn rule_030_nothing_changes_nothing() {
    let server = Server::new().await;
    for status in Status::ALL {
        let operation = server.at(status).await;
        server.clock.advance(Duration::from_secs(1));
        server.patch(&operation, "{}").await.is(200).shows(&operation);
        assert_eq!(server.record(&operation).await, operation);
    }
}

#[tokio::test]
async fn rule_031_the_same_status_changes_nothing() {
    let server = Server::new().await;
    for status in [Status::NotStarted, Status::Running] {
        let operation = server.at(status).await;
        server.clock.advance(Duration::from_secs(1));
        server.patch(&operation, &format!(r#"{{"status":"{status}"}}"#)).await.is(200).shows(&operation);
        assert_eq!(server.record(&operation).await, operation);
    }
}

#[tokio::test]
async fn rule_032_nor_when_it_has_ended() {
    let server = Server::new().await;
    for status in [Status::Completed, Status::Failed] {
        let operation = server.at(status).await;
        server.clock.advance(Duration::from_secs(1));
        server.patch(&operation, &format!(r#"{{"status":"{status}"}}"#)).await.is(200).shows(&operation);
        assert_eq!(server.record(&operation).await, operation);
    }
}

#[tokio::test]
async fn rule_033_merge_patch_is_accepted() {
    let server = Server::new().await;
    let operation = server.created().await;
    let headers = [("Content-Type", "application/merge-patch+json")];
    let reply = server.send("PATCH", &entity(&operation), &headers, r#"{"status":"Running"}"#).await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!(reply.member("status"), "Running");
}

#[tokio::test]
async fn rule_034_parameters_of_the_media_type_are_accepted() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    for (percent, media_type) in [
        (1, "application/json; charset=UTF-8"),
        (2, "application/json;odata.metadata=minimal;charset=\"utf-8\""),
        (3, "Application/JSON;odata.streaming=true"),
    ] {
        let body = format!(r#"{{"percentageComplete":{percent}}}"#);
        let reply = server.send("PATCH", &entity(&operation), &[("Content-Type", media_type)], body).await;
        assert_eq!(reply.is(200).json()["percentageComplete"], percent);
    }
    assert_eq!(JSON.1, "application/json");
    assert_eq!(server.record(&operation).await.progress().unwrap().percent(), 3);
}

#[tokio::test]
async fn progress_in_a_unit_tells_the_percentage() {
    let server = Server::new().await;
    let operation = server.created().await;
    let body = r#"{"status":"Running","progress":{"done":1,"total":4,"unit":"rows"}}"#;
    let reply = server.patch(&operation, body).await;
    assert_eq!(reply.is(200).json()["progress"], serde_json::json!({"done": 1, "total": 4, "unit": "rows"}));
    assert_eq!(reply.json()["percentageComplete"], 25);
    let whole = reply.text().to_owned();
    assert_eq!(server.patch(&operation, &whole).await.is(200).text(), whole, "sent back it is no change");
    server.patch(&operation, r#"{"progress":null}"#).await.is(200);
    let back = r#"{"progress":{"done":0,"total":4,"unit":"rows"}}"#;
    server.patch(&operation, back).await.refused(409, "progressRegressed").about("progress");
    for (value, code, target) in [
        (r#"{"done":1}"#, "invalidPropertyValue", "progress/total"),
        (r#"{"done":-1,"total":4}"#, "invalidPropertyValue", "progress/done"),
        (r#"{"done":5,"total":4}"#, "invalidPropertyValue", "progress/done"),
        (r#"{"done":1,"total":4,"per":2}"#, "unknownProperty", "progress/per"),
        ("[1,4]", "invalidPropertyValue", "progress"),
    ] {
        let reply = server.patch(&operation, &format!(r#"{{"progress":{value}}}"#)).await;
        reply.refused(400, code).about(target);
    }
}
