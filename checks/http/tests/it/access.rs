//! L. Access: who may do what, on every route that there is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use longrun::http::{self, Access, Action, Asked, Authorize, Decision, Kind, Permission, Principal, Route};
use longrun::{NewOperation, Operation, Status, Tracker};

use crate::support::{JSON, SET, Server, entity};

fn access() -> Access {
    Access::bearer()
        .token("read", Principal::new("reader", Permission::Read))
        .token("report", Principal::new("reporter", Permission::Report))
        .token("manage", Principal::new("manager", Permission::Manage))
        .token("none", Principal::new("nobody", None))
        .token("person", Principal::new("person", Permission::Manage).kind(Kind::Delegated))
        .token("personal", Principal::new("personal", Permission::Manage).kind(Kind::Personal))
}

/// Operations labelled with somebody else's name are hidden; those of nobody are forbidden.
#[derive(Debug)]
struct Owners;

#[async_trait]
impl Authorize for Owners {
    async fn authorize(
        &self,
        principal: &Principal,
        _: Action,
        _: Asked<'_>,
        operation: Option<&Operation>,
    ) -> Decision {
        match operation.map(|operation| operation.label("owner")) {
            None => Decision::Allow,
            Some(Some(owner)) if owner == principal.name => Decision::Allow,
            Some(Some(_)) => Decision::Hide,
            Some(None) => Decision::Forbid,
        }
    }
}

async fn owned(tracker: &Tracker, owner: &str) -> Operation {
    tracker.create(NewOperation::new("export").label("owner", owner)).await.unwrap()
}

#[tokio::test]
async fn rule_123_every_route_wants_a_token() {
    let server = Server::with(access(), |graph| graph).await;
    let operation = server.created().await;
    for path in [
        "/v1.0/$metadata",
        "/v1.0",
        "/v1.0/nope",
        SET,
        &entity(&operation),
        &format!("{SET}/nope"),
        &format!("{SET}/%ff"),
        "/azure/operations/nope",
        "/metrics",
    ] {
        for method in ["GET", "OPTIONS", "PUT", "PATCH"] {
            let reply = server.send(method, path, &[], "").await;
            assert_eq!(reply.refused_anywhere(401), Some("Bearer realm=\"longrun\""), "{method} {path}");
            for wrong in [
                "Bearer",
                "Bearer ",
                "Bearer wrong",
                "Basic cmVhZA==",
                "read",
                "Bearer read x",
                "Bearer Read",
                "Bearerread",
            ] {
                let reply = server.send(method, path, &[("Authorization", wrong)], "").await;
                assert_eq!(
                    reply.refused_anywhere(401),
                    Some("Bearer realm=\"longrun\", error=\"invalid_token\""),
                    "{wrong}"
                );
                assert!(!String::from_utf8_lossy(&reply.body).contains("nope"));
            }
        }
    }
    let reply = server.get(SET).await;
    reply.refused(401, "tokenRequired");
    server.get_with(SET, &[("Authorization", "Bearer wrong")]).await.refused(401, "invalidToken");
    server
        .get_with(SET, &[("Authorization", "Bearer read"), ("Authorization", "Bearer read")])
        .await
        .refused(401, "invalidToken");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        server.get_with(SET, &[("Authorization", &format!("{scheme} read"))]).await.is(200);
    }
}

#[tokio::test]
async fn rule_124_without_the_permission_403_and_404_for_what_may_not_be_seen() {
    let server = Server::with(access().decided_by(Owners), |graph| graph).await;
    let mine = owned(&server.tracker, "reporter").await;
    let hidden = owned(&server.tracker, "other").await;
    let nobodys = server.created().await;
    let run = r#"{"status":"Running"}"#;
    let reply = server.patch_with(&mine, &[("Authorization", "Bearer read")], run).await;
    reply.refused(403, "permissionRequired");
    let report = ("Authorization", "Bearer report");
    server.patch_with(&hidden, &[report], run).await.refused(404, "operationNotFound");
    server.patch_with(&nobodys, &[report], run).await.refused(403, "permissionRequired");
    // Nothing tells what is hidden from what is not there.
    let unknown = server.get_with(&format!("{SET}/nope"), &[report]).await.json()["error"]["message"]
        .as_str()
        .unwrap()
        .replace("nope", "ID");
    let seen = server.get_with(&entity(&hidden), &[report]).await.json()["error"]["message"]
        .as_str()
        .unwrap()
        .replace(&hidden.id().to_string(), "ID");
    assert_eq!(seen, unknown);
    for operation in [&mine, &hidden, &nobodys] {
        assert_eq!(server.record(operation).await, *operation);
    }
    let reply = server.patch_with(&mine, &[report], run).await;
    reply.is(200).shows(&server.record(&mine).await);
}

#[tokio::test]
async fn rule_125_each_permission_has_the_ones_below_it() {
    let server = Server::with(access(), |graph| graph).await;
    for (token, reads, reports, manages) in [
        ("none", false, false, false),
        ("read", true, false, false),
        ("report", true, true, false),
        ("manage", true, true, true),
        ("person", true, true, true),
        ("personal", false, false, false),
    ] {
        let operation = server.created().await;
        let bearer = format!("Bearer {token}");
        let headers = [JSON, ("Authorization", bearer.as_str())];
        let allowed = [
            (server.send("GET", &entity(&operation), &headers, "").await, reads),
            (server.send("GET", "/v1.0/$metadata", &headers, "").await, reads),
            (server.send("OPTIONS", SET, &headers, "").await, reads),
            (server.send("PATCH", &entity(&operation), &headers, r#"{"status":"Running"}"#).await, reports),
            (server.send("POST", SET, &headers, "{}").await, manages),
        ];
        for (reply, allowed) in allowed {
            assert_eq!(reply.status < 300, allowed, "{token}: {reply:?}");
            if !allowed {
                reply.refused(403, "permissionRequired");
            }
        }
        assert_eq!(server.record(&operation).await.status() == Status::Running, reports);
    }
}

/// All routes of all faces.
fn routes(tracker: &Tracker) -> Vec<Route> {
    let mut routes = http::graph(tracker.clone(), access()).path(SET).routes();
    routes.extend(http::azure(tracker.clone(), access()).path("/azure/operations").routes());
    routes.extend(http::google(tracker.clone(), access()).path("/v1/longrun/operations").routes());
    routes.extend(http::counters(tracker.clone(), access()).routes());
    routes
}

/// The permission that each route needs, by hand: what the table of the code must agree with.
fn needed(route: &Route) -> Option<Permission> {
    let read = ["GET", "HEAD", "OPTIONS"].contains(&route.method);
    let known = [
        "/v1.0",
        "/v1.0/$metadata",
        "/v1.0/openapi.json",
        "/v1.0/operations",
        "/v1.0/operations/$count",
        "/v1.0/operations/events",
        "/v1.0/operations/{id}",
        "/v1.0/operations/{id}/events",
        "/v1.0/operations/{id}/cancel",
        "/v1.0/operations/{id}/start",
        "/azure/operations/{id}",
        "/azure/operations/{id}:cancel",
        "/v1/longrun/operations",
        "/v1/longrun/operations/{id}",
        "/v1/longrun/operations/{id}:cancel",
        "/metrics",
    ];
    match (route.method, &*route.path) {
        (_, path) if read && known.contains(&path) => Some(Permission::Read),
        ("POST", "/v1.0/operations") | ("DELETE", "/v1.0/operations/{id}" | "/v1/longrun/operations/{id}") => {
            Some(Permission::Manage)
        }
        ("PATCH", "/v1.0/operations/{id}") => Some(Permission::Report),
        ("POST", path)
            if path.ends_with("{id}/cancel") || path.ends_with("{id}/start") || path.ends_with("{id}:cancel") =>
        {
            Some(Permission::Report)
        }
        _ => None,
    }
}

#[tokio::test]
async fn rule_126_every_route_by_every_principal() {
    let server = Server::with(access().decided_by(Owners), |graph| graph).await;
    let principals = [
        (None, "", None, Kind::Application),
        (Some("wrong"), "", None, Kind::Application),
        (Some("none"), "nobody", None, Kind::Application),
        (Some("read"), "reader", Some(Permission::Read), Kind::Application),
        (Some("report"), "reporter", Some(Permission::Report), Kind::Application),
        (Some("manage"), "manager", Some(Permission::Manage), Kind::Application),
        (Some("person"), "person", Some(Permission::Manage), Kind::Delegated),
        (Some("personal"), "personal", Some(Permission::Manage), Kind::Personal),
    ];
    let routes = routes(&server.tracker);
    let (mut asked, mut seen) = (0, BTreeSet::new());
    for route in &routes {
        let needed = needed(route).unwrap_or_else(|| panic!("a route without a row: {route:?}"));
        assert!(seen.insert((route.method, route.path.clone())), "twice: {route:?}");
        for (token, name, permission, kind) in principals {
            for own in [true, false] {
                let owner = if own && !name.is_empty() { name } else { "other" };
                let operation = owned(&server.tracker, owner).await;
                let operation = if route.method == "DELETE" {
                    server.walk(&operation, Status::Completed).await
                } else {
                    operation
                };
                let path = route.path.replace("{id}", &operation.id().to_string());
                let bearer = token.map(|token| format!("Bearer {token}"));
                let mut headers = vec![JSON];
                headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
                let body = if ["POST", "PATCH"].contains(&route.method) { "{}" } else { "" };
                let status = server.status_of(route.method, &path, &headers, body).await;
                asked += 1;
                let one = route.path.contains("{id}");
                let expected = match token {
                    None | Some("wrong") => 401..=401,
                    _ if kind == Kind::Personal || permission < Some(needed) => 403..=403,
                    _ if one && !own => 404..=404,
                    _ => 200..=299,
                };
                assert!(expected.contains(&status), "{status}, not {expected:?}: {route:?} {token:?} own {own}");
                let after = server.tracker.get(operation.id()).await;
                let changes = !["GET", "HEAD", "OPTIONS"].contains(&route.method) && one;
                if !(changes && status < 300) {
                    assert_eq!(after.unwrap(), operation, "{route:?}");
                }
            }
        }
    }
    assert_eq!(asked, routes.len() * principals.len() * 2);
}

/// A hook that panics once it is told to.
#[derive(Debug)]
struct Panics(Arc<AtomicBool>);

#[async_trait]
impl Authorize for Panics {
    async fn authenticate(&self, asked: Asked<'_>) -> Option<Principal> {
        asked.headers.contains_key("x-user").then(|| Principal::new("user", Permission::Manage))
    }

    async fn authorize(&self, _: &Principal, _: Action, _: Asked<'_>, _: Option<&Operation>) -> Decision {
        assert!(!self.0.load(Ordering::Relaxed), "told to");
        Decision::Allow
    }
}

#[tokio::test]
async fn fault_059_a_panic_of_the_hook_ends_one_request() {
    let panics = Arc::new(AtomicBool::new(false));
    let server = Server::with(Access::hook(Panics(Arc::clone(&panics))), |graph| graph).await;
    let user = ("X-User", "me");
    server.get(SET).await.refused(401, "tokenRequired");
    server.get_with(SET, &[user]).await.is(200);
    panics.store(true, Ordering::Relaxed);
    server.get_with(SET, &[user]).await.refused(500, "internalServerError");
    panics.store(false, Ordering::Relaxed);
    server.get_with(SET, &[user]).await.is(200);
}

#[tokio::test]
async fn fault_024_no_token_is_shown() {
    let access = access();
    let shown = format!("{access:?}");
    assert!(shown.contains("reader") && !shown.contains("\"read\""));
}
