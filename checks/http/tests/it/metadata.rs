//! K. Metadata, and the links of L.

use crate::support::{NOTES, SET, Server, entity, request};

#[tokio::test]
async fn rule_116_the_metadata_has_full_names() {
    let server = Server::new().await;
    let reply = server.get("/v1.0/$metadata").await;
    assert_eq!(reply.is(200).header("content-type"), Some("application/xml"));
    let text = reply.text();
    assert!(!text.contains("\"graph.") && !text.contains("Collection(graph.") && !text.contains("Alias"));
    for declared in [
        r#"<EnumType Name="operationStatus">"#,
        r#"<Member Name="Failed" Value="3"/>"#,
        r#"<EntityType Name="operation" BaseType="microsoft.graph.entity">"#,
        r#"<Property Name="status" Type="microsoft.graph.operationStatus" Nullable="false"/>"#,
        r#"<Property Name="lastActionDateTime" Type="Edm.DateTimeOffset" Nullable="false" Precision="7"/>"#,
        r#"<EntitySet Name="operations" EntityType="microsoft.graph.operation"/>"#,
    ] {
        assert!(text.contains(declared), "{declared}");
    }
    assert!(!text.contains("onenote") && !text.contains(r#"Name="error""#));
    let notes = server.get("/v1.0/me/onenote/$metadata").await;
    for declared in ["error", "percentComplete", "resourceId", "resourceLocation"] {
        assert!(notes.text().contains(&format!("<Property Name=\"{declared}\"")), "{declared}");
    }
    server.get_with("/v1.0/$metadata", &[("Accept", "application/json")]).await.refused(406, "notAcceptable");
    server.get_with("/v1.0/$metadata", &[("Accept", "application/xml")]).await.is(200);
}

#[tokio::test]
async fn rule_117_the_service_document() {
    let server = Server::new().await;
    for root in ["/v1.0", "/v1.0/"] {
        let body = server.get(root).await.is(200).json();
        assert_eq!(body["@odata.context"], format!("http://{}/v1.0/$metadata", server.address));
        assert_eq!(
            body["value"],
            serde_json::json!([{ "name": "operations", "kind": "EntitySet", "url": "operations" }])
        );
    }
    assert_eq!(server.get("/v1.0/me/onenote/").await.json()["value"][0]["name"], "operations");
}

#[tokio::test]
async fn rule_133_links_come_from_a_valid_host() {
    let server = Server::new().await;
    let operation = server.created().await;
    let path = entity(&operation);
    let with = |hosts: &[&str]| {
        let headers: Vec<_> =
            hosts.iter().map(|host| ("Host", *host)).chain([("X-Forwarded-Host", "evil.example")]).collect();
        request("GET", &path, &headers, b"")
    };
    for host in ["jobs.example.com", "a_b-c.9:80", "192.0.2.7:8080", "[2001:db8::1]", "[::1]:65535"] {
        let reply = server.raw(&with(&[host])).await;
        let context = format!("http://{host}/v1.0/$metadata#operations/$entity");
        assert_eq!(reply.is(200).member("@odata.context"), context);
    }
    for hosts in [
        &[][..],
        &["a", "b"],
        &["a", "a"],
        &[""],
        &["a b"],
        &["a/b"],
        &["user@a"],
        &["a:"],
        &["a:123456"],
        &["a:x"],
        &["[::g]"],
        &["[::1"],
        &["a,b"],
        &["\u{e9}"],
    ] {
        server.raw(&with(hosts)).await.refused(400, "invalidHost");
    }
    let based =
        Server::with(longrun::http::Access::open(), |graph| graph.base_url("https://jobs.example.com/")).await;
    let reply = based.post(SET, r#"{"id":"x"}"#).await;
    assert_eq!(reply.header("location"), Some("https://jobs.example.com/v1.0/operations/x"));
    assert_eq!(
        based.get(&format!("{NOTES}/x")).await.member("@odata.context"),
        "https://jobs.example.com/v1.0/me/onenote/$metadata#operations/$entity"
    );
}

#[tokio::test]
async fn a_face_can_be_nested_anywhere() {
    use longrun::http::{self, Access, Limits};
    let tracker = longrun::Tracker::builder().in_memory().await.unwrap();
    let face = http::graph(tracker.clone(), Access::open()).path("/users/{user}/onenote/operations").router();
    let address = crate::support::listen(axum::Router::new().nest("/api/v2", face), Limits::default()).await;
    let server = Server {
        address,
        tracker,
        clock: longrun::clock::ManualClock::new(crate::support::date(crate::support::START)),
    };
    let reply = server.post("/api/v2/users/a%40b/onenote/operations", r#"{"id":"x"}"#).await;
    let url = format!("http://{address}/api/v2/users/a%40b/onenote/operations/x");
    assert_eq!(reply.is(201).header("location"), Some(&*url));
    server.get("/api/v2/users/7/onenote/operations('x')").await.is(200);
    server.get("/api/v2/users/7/onenote/nope").await.refused(404, "resourceNotFound");
}

#[tokio::test]
async fn the_openapi_document_names_every_route() {
    let server = Server::new().await;
    let document = server.get("/v1.0/openapi.json").await.is(200).json();
    assert_eq!(document["servers"][0]["url"], format!("http://{}/v1.0", server.address));
    for (path, method) in [
        ("/operations", "get"),
        ("/operations", "post"),
        ("/operations/{id}", "patch"),
        ("/operations/{id}", "delete"),
        ("/operations/{id}/cancel", "post"),
        ("/operations/{id}/start", "post"),
        ("/operations/$count", "get"),
        ("/$metadata", "get"),
    ] {
        assert!(document["paths"][path][method]["responses"].is_object(), "{method} {path}");
    }
}
