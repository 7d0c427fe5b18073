//! G. Preferences.

use longrun::Status;

use crate::support::{NOTES, SET, Server, entity};

const RUN: &str = r#"{"status":"Running"}"#;

#[tokio::test]
async fn rule_087_minimal_is_204() {
    let server = Server::new().await;
    let operation = server.created().await;
    let reply = server.patch_with(&operation, &[("Prefer", "return=minimal")], RUN).await;
    assert_eq!(reply.is(204).header("preference-applied"), Some("return=minimal"));
    assert_eq!((reply.body.len(), reply.header("content-type")), (0, None));
    assert_eq!(server.record(&operation).await.status(), Status::Running);
}

#[tokio::test]
async fn rule_088_that_204_has_a_tag_only_if_the_client_can_know_it() {
    let server = Server::new().await;
    let operation = server.created().await;
    let minimal = ("Prefer", "return=minimal");
    let tag = operation.etag().to_string();
    // A move is stamped, and started is written.
    let reply = server.patch_with(&operation, &[minimal, ("If-Match", &tag)], RUN).await;
    assert_eq!(reply.is(204).header("etag"), None);
    let reply = server.patch_with(&operation, &[minimal], r#"{"lastActionDateTime":"2026-03-01T12:01:00Z"}"#).await;
    assert_eq!(reply.is(204).header("etag"), None);
    let tag = server.record(&operation).await.etag().to_string();
    let reply = server
        .patch_with(
            &operation,
            &[minimal, ("If-Match", &tag)],
            r#"{"statusDetail":"x","lastActionDateTime":"2026-03-01T12:02:00Z"}"#,
        )
        .await;
    let tag = server.record(&operation).await.etag().to_string();
    assert_eq!(reply.is(204).header("etag"), Some(&*tag));
    let reply = server.patch_with(&operation, &[minimal, ("If-Match", &tag)], r#"{"statusDetail":"x"}"#).await;
    assert_eq!(reply.is(204).header("etag"), Some(&*tag));
    // A heartbeat that the server stamps.
    let reply = server
        .patch_with(&operation, &[minimal, ("If-Match", &tag)], r#"{"lastActionDateTime":"2026-03-01T12:01:30Z"}"#)
        .await;
    assert_eq!(reply.is(204).header("etag"), None);
    assert_ne!(server.record(&operation).await.etag().to_string(), tag);
}

#[tokio::test]
async fn rule_089_representation_and_unknown_preferences() {
    let server = Server::new().await;
    let operation = server.created().await;
    let reply = server.patch_with(&operation, &[("Prefer", "return=representation")], RUN).await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!(reply.header("preference-applied"), Some("return=representation"));
    for (given, status) in [
        ("respond-async, foo=\"a,b\"; c, odata.continue-on-error", 200),
        ("odata.return=minimal", 204),
        ("RETURN=minimal", 204),
        ("return=minimal; x=y, return=representation", 204),
        ("return=\"minimal\"", 204),
        ("return=nothing", 200),
    ] {
        let reply = server.patch_with(&operation, &[("Prefer", given)], RUN).await;
        assert_eq!(reply.is(status).header("preference-applied").is_some(), status == 204, "{given}");
    }
}

#[tokio::test]
async fn rule_090_answers_vary_by_prefer() {
    let server = Server::new().await;
    let operation = server.created().await;
    for reply in [
        server.get(&entity(&operation)).await,
        server.get(SET).await,
        server.patch(&operation, "{}").await,
        server.patch_with(&operation, &[("Prefer", "return=minimal")], "{}").await,
    ] {
        assert_eq!(reply.header("vary"), Some("Prefer"));
    }
}

#[tokio::test]
async fn rule_091_select_on_patch() {
    let server = Server::new().await;
    let operation = server.created().await;
    let path = format!("{}?$select=status,id", entity(&operation));
    let headers = [crate::support::JSON, ("Prefer", "return=minimal")];
    let reply = server.send("PATCH", &path, &headers, RUN).await;
    let body = reply.is(200).json();
    let mut names: Vec<_> = body.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["@odata.context", "@odata.etag", "@odata.type", "id", "status"]);
    assert!(reply.member("@odata.context").ends_with("#operations(status,id)/$entity"));
    let record = server.record(&operation).await;
    assert_eq!((record.status(), record.etag().to_string()), (Status::Running, reply.member("@odata.etag")));
    let reply = server
        .send("PATCH", &format!("{}?$select=nope", entity(&operation)), &headers, r#"{"status":"Completed"}"#)
        .await;
    reply.refused(400, "invalidQueryOption").about("$select");
    assert_eq!(server.record(&operation).await, record);
}

#[tokio::test]
async fn rule_132_the_onenote_mount_has_four_members_more() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let path = format!("{NOTES}/{}", operation.id());
    let body = server.get(&path).await.json();
    for name in ["percentComplete", "resourceId", "resourceLocation"] {
        assert_eq!(body.get(name), Some(&serde_json::Value::Null), "{name}");
    }
    assert!(body.get("error").is_none());
    let nulls = ("Prefer", "omit-values=nulls");
    let reply = server.get_with(&path, &[nulls]).await;
    assert_eq!(reply.header("preference-applied"), Some("omit-values=nulls"));
    assert!(
        ["percentComplete", "resourceId", "resourceLocation"].iter().all(|name| reply.json().get(name).is_none())
    );
    // It is read as it is written, and nothing else sets what is read-only.
    let headers = [crate::support::JSON, nulls];
    let body = r##"{"@odata.type":"#microsoft.graph.onenoteOperation","percentComplete":"40","resourceId":"x","resourceLocation":"/r","error":null}"##;
    let reply = server.send("PATCH", &path, &headers, body).await;
    let shown = reply.is(200).json();
    assert_eq!((&shown["percentComplete"], &shown["percentageComplete"]), (&"40".into(), &40.into()));
    assert_eq!((&shown["resourceLocation"], shown.get("resourceId")), (&"/r".into(), None));
    // What this PATCH made null is sent all the same; what was null before is not.
    let reply = server.send("PATCH", &path, &headers, r#"{"resourceLocation":null}"#).await;
    assert_eq!(reply.is(200).json().get("resourceLocation"), Some(&serde_json::Value::Null));
    let reply = server.send("PATCH", &path, &headers, r#"{"resourceLocation":null}"#).await;
    assert_eq!(reply.is(200).json().get("resourceLocation"), None);
    let record = server.record(&operation).await;
    assert_eq!((record.progress().unwrap().percent(), record.resource_location()), (40, None));
    for bad in [r#"{"percentComplete":40}"#, r#"{"percentComplete":"x"}"#, r#"{"percentComplete":"101"}"#] {
        server
            .send("PATCH", &path, &headers, bad)
            .await
            .refused(400, "invalidPropertyValue")
            .about("percentComplete");
    }
    server.patch(&operation, r#"{"percentComplete":"50"}"#).await.refused(400, "unknownProperty");
    let plain = server.get(&entity(&operation)).await.json();
    assert!(plain.get("percentComplete").is_none() && plain.get("resourceLocation").is_none());
    assert_eq!(server.record(&operation).await, record);
}
