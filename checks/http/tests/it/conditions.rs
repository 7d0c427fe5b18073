//! F. Conditional requests.

use longrun::{Operation, Status};

use crate::support::{JSON, SET, Server, entity};

const RUN: &str = r#"{"status":"Running"}"#;

async fn stale(server: &Server, operation: &Operation) -> String {
    let old = operation.etag().to_string();
    server.patch(operation, r#"{"statusDetail":"newer"}"#).await.is(200);
    old
}

#[tokio::test]
async fn rule_074_a_stale_tag() {
    let server = Server::new().await;
    let operation = server.created().await;
    let old = stale(&server, &operation).await;
    let before = server.record(&operation).await;
    let reply = server.patch_with(&operation, &[("If-Match", &old)], RUN).await;
    reply.refused(412, "entityTagDoesNotMatch");
    assert_eq!(server.record(&operation).await, before);
    let current = before.etag().to_string();
    let reply = server.patch_with(&operation, &[("If-Match", &current)], RUN).await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!(reply.member("status"), "Running");
}

#[tokio::test]
async fn rule_075_comes_before_a_conflict() {
    let server = Server::new().await;
    let operation = server.at(Status::Completed).await;
    let reply = server.patch_with(&operation, &[("If-Match", "\"old\"")], RUN).await;
    reply.refused(412, "entityTagDoesNotMatch");
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_076_and_before_a_malformed_body() {
    let server = Server::new().await;
    let operation = server.created().await;
    for body in ["{", "[]", r#"{"status":"String"}"#, r#"{"unknown":1}"#, ""] {
        let reply = server.patch_with(&operation, &[("If-Match", "\"old\"")], body).await;
        reply.refused(412, "entityTagDoesNotMatch");
    }
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_077_after_the_address_and_the_media_type() {
    let server = Server::new().await;
    let operation = server.created().await;
    let headers = [JSON, ("If-Match", "\"old\"")];
    server.send("PATCH", &format!("{SET}/nope"), &headers, RUN).await.refused(404, "operationNotFound");
    let headers = [("Content-Type", "text/plain"), ("If-Match", "\"old\"")];
    server.send("PATCH", &entity(&operation), &headers, RUN).await.refused(415, "unsupportedMediaType");
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_078_lists_and_weak_comparison() {
    let server = Server::new().await;
    let operation = server.created().await;
    let tag = operation.etag().to_string();
    let strong = tag.strip_prefix("W/").unwrap();
    let reply = server.patch_with(&operation, &[("If-Match", &format!("\"zzz\", {strong}"))], RUN).await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!(reply.member("status"), "Running");
    let tag = server.record(&operation).await.etag().to_string();
    // Two lines are one list.
    let headers = [("If-Match", "\"zzz\""), ("If-Match", tag.as_str())];
    let reply = server.patch_with(&operation, &headers, r#"{"percentageComplete":1}"#).await;
    reply.is(200).shows(&server.record(&operation).await);
    let reply = server.patch_with(&operation, &[("If-Match", "\"a\", W/\"b\"")], "{}").await;
    reply.refused(412, "entityTagDoesNotMatch");
}

#[tokio::test]
async fn rule_079_any_tag() {
    let server = Server::new().await;
    let operation = server.created().await;
    let reply = server.patch_with(&operation, &[("If-Match", "*")], RUN).await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!(reply.member("status"), "Running");
}

#[tokio::test]
async fn rule_080_no_patch_of_what_must_not_exist() {
    let server = Server::new().await;
    let operation = server.created().await;
    let tag = operation.etag().to_string();
    for condition in ["*", tag.as_str()] {
        let reply = server.patch_with(&operation, &[("If-None-Match", condition)], RUN).await;
        reply.refused(412, "entityTagMatches");
        assert_eq!(server.record(&operation).await, operation);
    }
    server.patch_with(&operation, &[("If-None-Match", "\"other\"")], RUN).await.is(200);
}

#[tokio::test]
async fn rule_081_not_modified() {
    let server = Server::new().await;
    let operation = server.created().await;
    let tag = operation.etag().to_string();
    for condition in [tag.clone(), format!("\"x\", {tag}"), "*".into()] {
        let reply = server.get_with(&entity(&operation), &[("If-None-Match", &condition)]).await;
        assert_eq!((reply.is(304).header("etag"), reply.body.len()), (Some(&*tag), 0));
    }
    server.get_with(&entity(&operation), &[("If-None-Match", "\"x\"")]).await.is(200).shows(&operation);
    let reply = server.get_with(&entity(&operation), &[("If-Match", "\"x\"")]).await;
    reply.refused(412, "entityTagDoesNotMatch");
}

#[tokio::test]
async fn rule_082_the_tag_in_the_body_is_ignored() {
    let server = Server::new().await;
    let operation = server.created().await;
    let body = r#"{"@odata.etag":"W/\"stale\"","status":"Running"}"#;
    let reply = server.patch_with(&operation, &[("OData-Version", "4.0")], body).await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!(reply.member("status"), "Running");
}

#[tokio::test]
async fn rule_083_but_not_under_4_01() {
    let server = Server::new().await;
    let operation = server.created().await;
    let v401 = [("OData-Version", "4.01")];
    for name in ["@odata.etag", "@etag"] {
        let body = format!(r#"{{"{name}":"W/\"stale\"","status":"Completed"}}"#);
        server.patch_with(&operation, &v401, &body).await.refused(412, "entityTagDoesNotMatch");
    }
    // A body that is wrong by itself comes first.
    let body = r#"{"@odata.etag":"W/\"stale\"","statusDetail":"x","percentageComplete":101}"#;
    server.patch_with(&operation, &v401, body).await.refused(400, "invalidPropertyValue");
    let body = r#"{"@odata.etag":"stale","status":"Running"}"#;
    server.patch_with(&operation, &v401, body).await.refused(400, "malformedEntityTag").about("@odata.etag");
    assert_eq!(server.record(&operation).await, operation);
    let tag = operation.etag().to_string().replace('"', "\\\"");
    let body = format!(r#"{{"@odata.etag":"{tag}","status":"Running"}}"#);
    server.patch_with(&operation, &v401, &body).await.is(200).shows(&server.record(&operation).await);
}

#[tokio::test]
async fn rule_084_another_version_of_the_protocol() {
    let server = Server::new().await;
    let operation = server.created().await;
    for version in ["5.0", "3.0", "", "4"] {
        let reply = server.patch_with(&operation, &[("OData-Version", version)], RUN).await;
        reply.refused(400, "unsupportedODataVersion").about("OData-Version");
    }
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_118_a_malformed_tag() {
    let server = Server::new().await;
    let operation = server.created().await;
    for tag in ["", "abc", "\"a", "\"a\" \"b\"", "W/", "w/\"a\"", "*, \"a\"", "\"a\";", "\"\u{e9}\""] {
        for name in ["If-Match", "If-None-Match"] {
            let reply = server.patch_with(&operation, &[(name, tag)], RUN).await;
            reply.refused(400, "malformedEntityTag").about(name);
        }
    }
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_085_of_twelve_racers_with_one_tag_one_wins() {
    let server = Server::new().await;
    for _ in 0..40 {
        let operation = server.at(Status::Running).await;
        let tag = operation.etag().to_string();
        let race = (0..12).map(|racer| {
            let (server, operation, tag) = (&server, &operation, &tag);
            async move {
                let body = format!(r#"{{"statusDetail":"racer {racer}"}}"#);
                server.patch_with(operation, &[("If-Match", tag)], &body).await
            }
        });
        let replies = crate::support::together(race).await;
        let won: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
        assert_eq!((won.len(), replies.len()), (1, 12));
        let record = server.record(&operation).await;
        won[0].shows(&record);
        assert_eq!(record.version().n(), operation.version().n() + 1);
        replies.iter().filter(|reply| reply.status != 200).for_each(|reply| {
            reply.refused(412, "entityTagDoesNotMatch");
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_086_of_two_ends_one_wins() {
    let server = Server::new().await;
    for _ in 0..20 {
        let operation = server.at(Status::Running).await;
        let race = (0..8).map(|racer| {
            let (server, operation) = (&server, &operation);
            let status = if racer % 2 == 0 { Status::Completed } else { Status::Failed };
            async move { (status, server.patch(operation, &format!(r#"{{"status":"{status}"}}"#)).await) }
        });
        let replies = crate::support::together(race).await;
        let record = server.record(&operation).await;
        assert_eq!(record.version().n(), operation.version().n() + 1);
        for (status, reply) in replies {
            if status == record.status() {
                reply.is(200).shows(&record);
            } else {
                reply.refused(409, "operationTerminal");
            }
        }
    }
}
