//! A. Representation and headers.

use longrun::{NewOperation, Status};

use crate::support::{SET, Server, entity};

#[tokio::test]
async fn rule_001_all_four_properties_and_the_type() {
    let server = Server::new().await;
    let operation = server.created().await;
    let four = ["id", "status", "createdDateTime", "lastActionDateTime", "@odata.type"];
    let get = server.get(&entity(&operation)).await;
    get.is(200).shows(&operation);
    let patched = server.patch(&operation, r#"{"status":"Running"}"#).await;
    patched.is(200).shows(&server.record(&operation).await);
    let posted = server.post(SET, "{}").await;
    for entity in [get.json(), patched.json(), posted.is(201).json()] {
        assert!(four.iter().all(|name| entity[name].is_string()), "{entity}");
    }
    let list = server.get(SET).await.json();
    assert_eq!(list["value"].as_array().unwrap().len(), 2);
    for entity in list["value"].as_array().unwrap() {
        assert!(four.iter().all(|name| entity[name].is_string()), "{entity}");
    }
}

#[tokio::test]
async fn rule_002_the_context_is_the_first_member() {
    let server = Server::new().await;
    let operation = server.created().await;
    let reply = server.get(&entity(&operation)).await;
    let context = format!("http://{}/v1.0/$metadata#operations/$entity", server.address);
    assert!(reply.text().starts_with(&format!("{{\"@odata.context\":\"{context}\",")), "{}", reply.text());
}

#[tokio::test]
async fn rule_003_every_response_has_the_version() {
    let server = Server::new().await;
    let operation = server.created().await;
    for (method, path) in [
        ("GET", entity(&operation)),
        ("GET", format!("{SET}/nope")),
        ("GET", "/v1.0/".into()),
        ("GET", "/v1.0/$metadata".into()),
        ("GET", format!("{SET}/$count")),
        ("PUT", entity(&operation)),
        ("OPTIONS", SET.into()),
    ] {
        let reply = server.send(method, &path, &[], "").await;
        assert_eq!(reply.header("odata-version"), Some("4.0"), "{method} {path}");
    }
    assert!(server.get(&entity(&operation)).await.text().contains("\"@odata.type\""));
}

#[tokio::test]
async fn rule_004_the_media_type_names_the_level_and_no_charset() {
    let server = Server::new().await;
    let operation = server.created().await;
    for path in [entity(&operation), SET.into(), "/v1.0".into()] {
        let reply = server.get(&path).await;
        assert_eq!(reply.header("content-type"), Some("application/json;odata.metadata=minimal"), "{path}");
    }
}

#[tokio::test]
async fn rule_005_the_tag_is_in_the_header_and_in_the_body() {
    let server = Server::new().await;
    let operation = server.created().await;
    let tag = operation.etag().to_string();
    let reply = server.get(&entity(&operation)).await;
    assert_eq!((reply.header("etag"), reply.member("@odata.etag")), (Some(&*tag), tag.clone()));
    assert_eq!(server.get(SET).await.json()["value"][0]["@odata.etag"], tag);
    let posted = server.post(SET, "{}").await;
    assert_eq!(posted.header("etag"), Some(&*posted.member("@odata.etag")));
}

#[tokio::test]
async fn rule_006_tags_are_weak() {
    let server = Server::new().await;
    let operation = server.created().await;
    let reply = server.get(&entity(&operation)).await;
    let tag = reply.header("etag").unwrap();
    assert!(tag.starts_with("W/\"") && tag.ends_with('"') && tag.matches('"').count() == 2, "{tag}");
}

#[tokio::test]
async fn rule_007_statuses_are_pascal_case() {
    let server = Server::new().await;
    for (status, name) in [
        (Status::NotStarted, "NotStarted"),
        (Status::Running, "Running"),
        (Status::Completed, "Completed"),
        (Status::Failed, "Failed"),
    ] {
        let operation = server.at(status).await;
        assert_eq!(server.get(&entity(&operation)).await.member("status"), name);
    }
}

#[tokio::test]
async fn rule_008_the_type_is_the_declared_one() {
    let server = Server::new().await;
    let operation = server.created().await;
    assert_eq!(server.get(&entity(&operation)).await.member("@odata.type"), "#microsoft.graph.operation");
    let path = format!("{}/{}", crate::support::NOTES, operation.id());
    assert_eq!(server.get(&path).await.member("@odata.type"), "#microsoft.graph.onenoteOperation");
}

#[tokio::test]
async fn rule_009_dates_have_at_most_seven_digits_and_no_zeros() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    assert_eq!(server.get(&entity(&operation)).await.member("createdDateTime"), "2026-03-01T12:00:00.1234567Z");
    for (given, shown) in [
        ("2026-03-01T12:01:00.123456789Z", "2026-03-01T12:01:00.1234567Z"),
        ("2026-03-01T15:02:00.1234500+03:00", "2026-03-01T15:02:00.12345+03:00"),
        ("2026-03-01T12:03:00.000Z", "2026-03-01T12:03:00Z"),
        ("2026-03-02T02:03:30+14:00", "2026-03-02T02:03:30+14:00"),
    ] {
        let reply = server.patch(&operation, &format!(r#"{{"lastActionDateTime":"{given}"}}"#)).await;
        assert_eq!(reply.is(200).member("lastActionDateTime"), shown);
    }
    let before = server.record(&operation).await;
    for given in [
        "2026-03-01T12:04:00.1234567890Z",
        "2026-03-02T02:04:00+14:01",
        "0000-03-01T12:04:00Z",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
    ] {
        let reply = server.patch(&operation, &format!(r#"{{"lastActionDateTime":"{given}"}}"#)).await;
        reply.refused(400, "invalidPropertyValue").about("lastActionDateTime");
    }
    assert_eq!(server.record(&operation).await, before);
}

#[tokio::test]
async fn rule_010_a_running_operation_says_when_to_come_again() {
    let server = Server::new().await;
    for status in [Status::NotStarted, Status::Running] {
        let operation = server.at(status).await;
        let reply = server.get(&entity(&operation)).await;
        assert!(reply.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    }
}

#[tokio::test]
async fn rule_011_an_ended_one_does_not() {
    let server = Server::new().await;
    for status in [Status::Completed, Status::Failed] {
        let operation = server.at(status).await;
        assert_eq!(server.get(&entity(&operation)).await.is(200).header("retry-after"), None);
    }
}

#[tokio::test]
async fn rule_012_every_response_has_an_id_of_its_own() {
    let server = Server::new().await;
    let mut seen = std::collections::HashSet::new();
    for path in [SET, "/v1.0/nope", "/v1.0/$metadata"] {
        let reply = server.get(path).await;
        let id = reply.header("request-id").unwrap();
        assert!(id.len() == 36 && id.split('-').map(str::len).eq([8, 4, 4, 4, 12]), "{id}");
        assert!(id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()), "{id}");
        assert!(seen.insert(id.to_owned()));
    }
}

#[tokio::test]
async fn rule_013_the_clients_id_comes_back_if_it_is_printable() {
    let server = Server::new().await;
    let long = "x".repeat(129);
    for (given, comes_back) in
        [("my-id.1", true), ("{A b}", true), (&long[1..], true), (&long, false), ("a\tb", false), ("\u{e9}", false)]
    {
        let reply = server.get_with(SET, &[("client-request-id", given)]).await;
        let returned = reply.header("client-request-id").unwrap();
        assert_eq!(returned == given, comes_back, "{given}");
        assert!(returned.is_ascii() && returned.len() <= 128);
    }
    assert_eq!(server.get(SET).await.header("client-request-id"), None);
    let refused = server.get_with("/v1.0/nope", &[("client-request-id", "abc")]).await;
    assert_eq!(refused.json()["error"]["innerError"]["client-request-id"], "abc");
}

#[tokio::test]
async fn rule_014_parentheses_name_the_same_entity() {
    let server = Server::new().await;
    let operation = server.created().await;
    for path in [
        format!("{SET}('{}')", operation.id()),
        format!("{SET}(%27{}%27)", operation.id()),
        format!("{SET}(id='{}')", operation.id()),
    ] {
        let reply = server.get(&path).await;
        reply.is(200).shows(&operation);
        assert_eq!(reply.body, server.get(&entity(&operation)).await.body);
    }
    let reply = server
        .send("PATCH", &format!("{SET}('{}')", operation.id()), &[crate::support::JSON], r#"{"status":"Running"}"#)
        .await;
    reply.is(200).shows(&server.record(&operation).await);
    server.get(&format!("{SET}(1)")).await.refused(404, "resourceNotFound");
}

#[tokio::test]
async fn rule_015_an_unknown_id_is_not_found() {
    let server = Server::new().await;
    for id in ["nope", "n%20o", "%2e%2e%2fetc", "0198f000-0000-7000-8000-000000000000", "('nope')"] {
        let path = if id.starts_with('(') { format!("{SET}{id}") } else { format!("{SET}/{id}") };
        server.get(&path).await.refused(404, "operationNotFound");
    }
}

#[tokio::test]
async fn rule_016_an_error_is_one_member() {
    let server = Server::new().await;
    let reply = server.get(&format!("{SET}/nope")).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["error"]);
    assert!(!body["error"]["code"].as_str().unwrap().is_empty());
    assert!(!body["error"]["message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn rule_017_the_code_is_the_status_and_the_details_are_inside() {
    let server = Server::new().await;
    let reply = server.get(&format!("{SET}/nope")).await;
    let error = &reply.json()["error"];
    assert_eq!(error["code"], "notFound");
    assert_eq!(error["innerError"]["code"], "operationNotFound");
    assert_eq!(error["innerError"]["date"], "2026-03-01T12:00:00.1234567Z");
    assert_eq!(error["innerError"]["request-id"], reply.header("request-id").unwrap());
}

#[tokio::test]
async fn rule_018_errors_have_a_language() {
    let server = Server::new().await;
    assert_eq!(server.get("/v1.0/nope").await.header("content-language"), Some("en"));
    assert_eq!(server.get(SET).await.is(200).header("content-language"), None);
}

#[tokio::test]
async fn rule_019_what_is_not_accepted_is_406() {
    let server = Server::new().await;
    let operation = server.tracker.create(NewOperation::untyped()).await.unwrap();
    for accept in ["application/xml", "text/html, image/*", "application/json;q=0", "*/*, application/json;q=0"] {
        let reply = server.get_with(&entity(&operation), &[("Accept", accept)]).await;
        reply.refused(406, "notAcceptable");
        let patch = server.patch_with(&operation, &[("Accept", accept)], r#"{"status":"Running"}"#).await;
        patch.refused(406, "notAcceptable");
    }
    assert_eq!(server.record(&operation).await, operation);
    server.get(&format!("{}?$format=xml", entity(&operation))).await.refused(406, "notAcceptable");
}

#[tokio::test]
async fn rule_020_json_and_anything_are_accepted() {
    let server = Server::new().await;
    let operation = server.created().await;
    for accept in [
        "application/json;odata.metadata=minimal",
        "*/*",
        "application/*",
        "application/json",
        "APPLICATION/JSON; odata.streaming=true; IEEE754Compatible=false",
        "text/html, application/json;q=0.5",
        "application/json, */*;q=0",
    ] {
        server.get_with(&entity(&operation), &[("Accept", accept)]).await.is(200).shows(&operation);
    }
    server.get(&entity(&operation)).await.is(200);
    server.get_with(&format!("{}?$format=json", entity(&operation)), &[("Accept", "text/html")]).await.is(200);
}

#[tokio::test]
async fn rule_021_the_highest_version_of_the_client() {
    let server = Server::new().await;
    let operation = server.created().await;
    for version in ["4.0", "4.01", "5.0"] {
        let reply = server.get_with(&entity(&operation), &[("OData-MaxVersion", version)]).await;
        reply.is(200).shows(&operation);
        assert_eq!(reply.header("odata-version"), Some("4.0"));
    }
    for version in ["3.0", "four", "4", ""] {
        let reply = server.get_with(&entity(&operation), &[("OData-MaxVersion", version)]).await;
        reply.refused(400, "unsupportedODataVersion").about("OData-MaxVersion");
    }
}
