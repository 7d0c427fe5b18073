//! J. Wait.

use std::time::Duration;

use longrun::http::Access;
use longrun::{Patch, Status};

use crate::support::{Server, entity};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn rule_112_an_answer_as_soon_as_anything_changes() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let tag = operation.etag().to_string();
    let headers = [("If-None-Match", tag.as_str()), ("Prefer", "wait=10")];
    let mut told = false;
    let reply = server
        .get_while(&entity(&operation), &headers, async || {
            if !std::mem::replace(&mut told, true) {
                server.tracker.patch(operation.id(), Patch::new().progress(7)).await.unwrap();
            }
        })
        .await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!(
        (reply.header("preference-applied"), &reply.json()["percentageComplete"]),
        (Some("wait=10"), &7.into())
    );
    // What has changed already is answered at once, with a clock that stands still.
    server.get_with(&entity(&operation), &headers).await.is(200).shows(&server.record(&operation).await);
}

#[tokio::test]
async fn rule_113_or_304_at_the_bound() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let tag = operation.etag().to_string();
    let headers = [("If-None-Match", tag.as_str()), ("Prefer", "wait=10")];
    let began = longrun::clock::Clock::monotonic(&server.clock);
    let reply = server.get_while(&entity(&operation), &headers, async || server.clock.advance(SECOND)).await;
    assert_eq!((reply.is(304).header("etag"), reply.header("preference-applied")), (Some(&*tag), Some("wait=10")));
    assert!(longrun::clock::Clock::monotonic(&server.clock) >= began + 10 * SECOND);
    assert_eq!(server.record(&operation).await, operation);
}

#[tokio::test]
async fn rule_114_waits_for_the_end() {
    let server = Server::new().await;
    let operation = server.at(Status::Running).await;
    let mut steps = 0;
    let reply = server
        .get_while(&entity(&operation), &[("Prefer", "wait=30")], async || {
            steps += 1;
            match steps {
                1 => drop(server.tracker.progress(operation.id(), 50).await.unwrap()),
                2 => drop(server.tracker.complete(operation.id(), "done").await.unwrap()),
                _ => {}
            }
        })
        .await;
    reply.is(200).shows(&server.record(&operation).await);
    assert_eq!((reply.member("status"), reply.header("preference-applied")), ("Completed".into(), Some("wait=30")));
    // At the bound it is shown as it is; no wait is longer than a minute.
    let other = server.at(Status::Running).await;
    let began = longrun::clock::Clock::monotonic(&server.clock);
    let reply =
        server.get_while(&entity(&other), &[("Prefer", "wait=3600")], async || server.clock.advance(SECOND)).await;
    reply.is(200).shows(&other);
    assert_eq!(reply.header("preference-applied"), Some("wait=60"));
    assert!(longrun::clock::Clock::monotonic(&server.clock) >= began + 60 * SECOND);
    let reply = server.get_with(&entity(&other), &[("Prefer", "wait=0")]).await;
    assert_eq!(reply.is(200).header("preference-applied"), Some("wait=0"));
    assert_eq!(
        server.get_with(&entity(&other), &[("Prefer", "wait=soon")]).await.is(200).header("preference-applied"),
        None
    );
    assert_eq!(server.tracker.watchers(), 0);
}

#[tokio::test]
async fn rule_115_nothing_is_cached() {
    let server = Server::new().await;
    let operation = server.created().await;
    let tag = operation.etag().to_string();
    for headers in [&[][..], &[("If-None-Match", tag.as_str())], &[("Prefer", "wait=0")]] {
        assert_eq!(server.get_with(&entity(&operation), headers).await.header("cache-control"), Some("no-cache"));
    }
}

#[tokio::test]
async fn fault_033_places_to_wait_are_bounded() {
    let server = Server::with(Access::open(), |graph| graph.watchers(2, 1)).await;
    let operation = server.at(Status::Running).await;
    let mut refused = None;
    let reply = server
        .get_while(&entity(&operation), &[("Prefer", "wait=10")], async || {
            if refused.is_none() {
                refused = Some(server.get_with(&entity(&operation), &[("Prefer", "wait=10")]).await);
            }
            server.clock.advance(SECOND);
        })
        .await;
    reply.is(200);
    let refused = refused.unwrap();
    assert!(refused.refused(429, "throttledRequest").header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    // The place is free again.
    server.get_with(&entity(&operation), &[("Prefer", "wait=0")]).await.is(200);
    let full = Server::with(Access::open(), |graph| graph.watchers(0, 1)).await;
    let operation = full.created().await;
    let reply = full.get_with(&entity(&operation), &[("Prefer", "wait=10")]).await;
    assert!(reply.refused(503, "throttledRequest").header("retry-after").is_some());
}
