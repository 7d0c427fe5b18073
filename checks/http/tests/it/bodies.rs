//! C. Content ignored or refused.

use longrun::{Operation, Status};

use crate::support::{JSON, Reply, SET, Server, entity};

/// A PATCH that is refused with this code, about this member, and leaves the record as it was.
async fn refuses(
    server: &Server,
    operation: &Operation,
    body: impl AsRef<[u8]>,
    code: &str,
    target: Option<&str>,
) -> Reply {
    let before = server.record(operation).await;
    let reply = server.send("PATCH", &entity(operation), &[JSON], body.as_ref()).await;
    reply.refused(400, code);
    assert_eq!(reply.json()["error"]["target"].as_str(), target, "{}", reply.text());
    assert_eq!(server.record(operation).await, before);
    assert_eq!(server.get(&entity(operation)).await.header("etag"), Some(&*before.etag().to_string()));
    reply
}

/// A PATCH that changes nothing.
async fn ignores(server: &Server, operation: &Operation, body: &str) {
    server.patch(operation, body).await.is(200).shows(operation);
    assert_eq!(server.record(operation).await, *operation);
}

#[tokio::test]
async fn rule_035_key_and_computed_members_are_ignored() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    ignores(&server, &operation, r#"{"id":"other","createdDateTime":"2001-01-01T00:00:00Z"}"#).await;
    let body = r#"{"startedDateTime":"2001-01-01T00:00:00Z","holder":"x","type":"y","labels":{"a":"b"},"retryOf":"z","cancellationRequestedDateTime":"2001-01-01T00:00:00Z"}"#;
    ignores(&server, &operation, body).await;
}

#[tokio::test]
async fn rule_036_whatever_their_value() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    ignores(&server, &operation, r#"{"id":null,"createdDateTime":"garbage"}"#).await;
    ignores(&server, &operation, r#"{"id":{"a":[1]},"createdDateTime":7,"labels":3}"#).await;
}

#[tokio::test]
async fn rule_037_unknown_annotations_are_ignored() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let body = r##"{"@odata.context":"x","@odata.etag":"W/\"stale\"","@my.own":{"a":1},"status@odata.type":"#String","@odata.id":7}"##;
    ignores(&server, &operation, body).await;
    let body = format!(r#"{{"@odata.context":1,"statusDetail@x.y":null,"percentageComplete":{}}}"#, 3);
    let reply = server.patch(&operation, &body).await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!(reply.json()["percentageComplete"], 3);
}

#[tokio::test]
async fn rule_038_an_unknown_property_refuses_the_whole() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    refuses(&server, &operation, r#"{"status":"Completed","percent":3}"#, "unknownProperty", Some("percent")).await;
    for name in ["__proto__", "constructor", "Status", "status ", "resourceId", "percentComplete"] {
        let body = format!(r#"{{"status":"Completed","{name}":"3"}}"#);
        refuses(&server, &operation, body, "unknownProperty", Some(name)).await;
    }
}

#[tokio::test]
async fn rule_039_a_null_status_is_refused() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    refuses(&server, &operation, r#"{"status":null}"#, "invalidPropertyValue", Some("status")).await;
    let headers = [("Content-Type", "application/merge-patch+json")];
    let reply = server.send("PATCH", &entity(&operation), &headers, r#"{"status":null}"#).await;
    reply.refused(400, "invalidPropertyValue").about("status");
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_040_a_null_time_is_refused() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let body = r#"{"status":"Completed","lastActionDateTime":null}"#;
    refuses(&server, &operation, body, "invalidPropertyValue", Some("lastActionDateTime")).await;
}

#[tokio::test]
async fn rule_041_a_status_that_is_no_string_is_refused() {
    let server = Server::new().await;
    let operation = server.created().await;
    for value in ["1", "true", "{}", "[\"Running\"]", "1.0"] {
        let body = format!(r#"{{"status":{value}}}"#);
        refuses(&server, &operation, body, "invalidPropertyValue", Some("status")).await;
    }
}

#[tokio::test]
async fn rule_042_nor_one_that_names_no_member() {
    let server = Server::new().await;
    let operation = server.created().await;
    for value in ["Cancelled", "unknownFutureValue", "1", "", " Running", "Succeeded", "Runnıng"] {
        let body = format!(r#"{{"status":"{value}"}}"#);
        refuses(&server, &operation, body, "invalidPropertyValue", Some("status")).await;
    }
}

async fn refuses_time(value: &str) {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let body = format!(r#"{{"status":"Completed","lastActionDateTime":{value}}}"#);
    refuses(&server, &operation, body, "invalidPropertyValue", Some("lastActionDateTime")).await;
}

#[tokio::test]
async fn rule_043_a_date_with_a_space_is_refused() {
    refuses_time(r#""2026-03-01 12:00:01Z""#).await;
}

#[tokio::test]
async fn rule_044_a_date_without_an_offset_is_refused() {
    refuses_time(r#""2026-03-01T12:00:01""#).await;
    refuses_time(r#""2026-03-01T12:00:01+0300""#).await;
}

#[tokio::test]
async fn rule_045_a_day_that_does_not_exist_is_refused() {
    refuses_time(r#""2026-02-30T12:00:01Z""#).await;
}

#[tokio::test]
async fn rule_046_a_number_is_no_date() {
    refuses_time("1772366401").await;
}

async fn takes_time(given: &str, shown: &str) {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let reply = server.patch(&operation, &format!(r#"{{"lastActionDateTime":"{given}"}}"#)).await;
    assert_eq!(reply.is(200).member("lastActionDateTime"), shown);
    reply.shows(&server.record(&operation).await);
}

#[tokio::test]
async fn rule_047_seconds_are_optional() {
    takes_time("2026-03-01T12:01Z", "2026-03-01T12:01:00Z").await;
}

#[tokio::test]
async fn rule_048_lower_case_is_accepted() {
    takes_time("2026-03-01t12:01:02z", "2026-03-01T12:01:02Z").await;
}

#[tokio::test]
async fn rule_120_second_sixty_is_the_next_second() {
    takes_time("2026-03-01T12:01:60Z", "2026-03-01T12:02:00Z").await;
    takes_time("2026-03-01T12:01:60.5Z", "2026-03-01T12:02:00.5Z").await;
}

#[tokio::test]
async fn rule_049_another_type_is_refused() {
    let server = Server::new().await;
    let operation = server.created().await;
    for name in ["#microsoft.graph.user", "microsoft.graph.onenoteOperation", "", "#"] {
        let body = format!(r#"{{"@odata.type":"{name}","status":"Running"}}"#);
        refuses(&server, &operation, body, "typeMismatch", Some("@odata.type")).await;
    }
}

async fn takes_type(member: &str, name: &str) {
    let server = Server::new().await;
    let operation = server.created().await;
    let reply = server.patch(&operation, &format!(r#"{{"{member}":"{name}","status":"Running"}}"#)).await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!(reply.member("status"), "Running");
}

#[tokio::test]
async fn rule_050_a_type_without_its_hash() {
    takes_type("@odata.type", "microsoft.graph.operation").await;
    takes_type("@odata.type", "#Microsoft.Graph.Operation").await;
}

#[tokio::test]
async fn rule_051_a_type_under_its_short_name() {
    takes_type("@type", "#microsoft.graph.operation").await;
}

#[tokio::test]
async fn rule_052_a_type_as_an_absolute_url() {
    takes_type("@odata.type", "https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.operation").await;
}

#[tokio::test]
async fn rule_053_an_array_is_no_body() {
    let server = Server::new().await;
    let operation = server.created().await;
    for body in [r#"["Running"]"#, r#""Running""#, "7", r#"[{"status":"Running"}]"#] {
        refuses(&server, &operation, body, "malformedBody", None).await;
    }
}

#[tokio::test]
async fn rule_054_null_is_no_body() {
    let server = Server::new().await;
    let operation = server.created().await;
    refuses(&server, &operation, "null", "malformedBody", None).await;
}

#[tokio::test]
async fn rule_055_a_truncated_body() {
    let server = Server::new().await;
    let operation = server.created().await;
    for body in [r#"{"status":"Running""#, r#"{"status":"Runn"#, "{", r#"{"status":"Running"} x"#, "\u{feff}{}"] {
        refuses(&server, &operation, body, "malformedBody", None).await;
    }
}

#[tokio::test]
async fn rule_056_an_empty_body() {
    let server = Server::new().await;
    let operation = server.created().await;
    refuses(&server, &operation, "", "malformedBody", None).await;
    refuses(&server, &operation, " \r\n", "malformedBody", None).await;
}

#[tokio::test]
async fn rule_057_a_body_that_is_no_utf8() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    for byte in 0x80..=0xff_u8 {
        let mut body = br#"{"statusDetail":""#.to_vec();
        body.push(byte);
        body.extend(br#""}"#);
        let reply = server.send("PATCH", &entity(&operation), &[JSON], body).await;
        reply.refused(400, "malformedBody");
    }
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_058_a_member_twice() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    for (body, target) in [
        (r#"{"status":"Running","status":"Completed"}"#, "status"),
        (r#"{"status":"Running","\u0073tatus":"Completed"}"#, "status"),
        (r#"{"status":"Failed","error":{"code":"a","message":"b","code":"c"}}"#, "error/code"),
    ] {
        refuses(&server, &operation, body, "duplicateProperty", Some(target)).await;
    }
    let body = r#"{"status":"Completed","result":{"a":1,"\u0061":2}}"#;
    refuses(&server, &operation, body, "invalidPropertyValue", Some("result")).await;
}

#[tokio::test]
async fn rule_059_json_patch_is_another_media_type() {
    let server = Server::new().await;
    let operation = server.created().await;
    for media_type in ["application/json-patch+json", "application/vnd.api+json", "application/merge-patch"] {
        let reply = server
            .send("PATCH", &entity(&operation), &[("Content-Type", media_type)], r#"{"status":"Running"}"#)
            .await;
        reply.refused(415, "unsupportedMediaType");
        assert_eq!(reply.header("accept-patch"), Some("application/json, application/merge-patch+json"));
    }
    assert_eq!(server.record(&operation).await, operation);
    let reply = server.send("POST", SET, &[("Content-Type", "application/merge-patch+json")], "{}").await;
    assert_eq!(reply.refused(415, "unsupportedMediaType").header("accept-patch"), None);
}

#[tokio::test]
async fn rule_060_text_and_no_type_are_refused() {
    let server = Server::new().await;
    let operation = server.created().await;
    let body = r#"{"status":"Running"}"#;
    for headers in [
        &[("Content-Type", "text/plain")][..],
        &[],
        &[("Content-Type", "application/json; charset=iso-8859-1")],
        &[JSON, JSON],
    ] {
        let reply = server.send("PATCH", &entity(&operation), headers, body).await;
        reply.refused(415, "unsupportedMediaType").about("Content-Type");
    }
    assert_eq!(server.record(&operation).await, operation);
}
