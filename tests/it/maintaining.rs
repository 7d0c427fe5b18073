//! What maintain ends and deletes, and what it must not.

use std::time::Duration;

use longrun::{Failure, NewOperation, OperationId, Patch, Status, Tracker};

use crate::faulty::{Bench, bench_with};
use crate::support::{date, id, poll_once, soon};

const LEASE: Duration = Duration::from_mins(1);
const LIMIT: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

async fn running(tracker: &Tracker, type_name: &str, name: &str) -> OperationId {
    let new = NewOperation::new(type_name).id(id(name)).patch(Patch::new().status(Status::Running));
    tracker.create(new).await.unwrap().id().clone()
}

async fn code(tracker: &Tracker, id: &OperationId) -> Option<String> {
    tracker.get(id).await.unwrap().failure().map(|failure| failure.code().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_what_nobody_writes_and_only_that() {
    let Bench { tracker, clock, .. } = bench_with(|builder| builder.lease("export", LEASE)).await;
    let quiet = running(&tracker, "export", "quiet").await;
    let beats = running(&tracker, "export", "beats").await;
    let other = running(&tracker, "import", "other").await;
    clock.advance(LEASE / 2);
    // A beat counts with any date: years back, years on.
    for year in ["2016", "2036", "2026"] {
        clock.set(date(&format!("{year}-05-04T12:00:00Z")));
        tracker.heartbeat(&beats).await.unwrap();
    }
    clock.advance(LEASE / 2);
    assert_eq!(tracker.sweep().await.unwrap().stalled, [], "not longer than the lease");
    clock.advance(SECOND);
    assert_eq!(tracker.sweep().await.unwrap().stalled, std::slice::from_ref(&quiet));
    assert_eq!(code(&tracker, &quiet).await.as_deref(), Some("stalled"));
    assert_eq!(tracker.get(&beats).await.unwrap().status(), Status::Running);
    assert_eq!(tracker.get(&other).await.unwrap().status(), Status::Running);
    // A worker that was only slow learns who won.
    let late = tracker.complete(&quiet, "late").await.unwrap_err();
    assert_eq!(late.current().and_then(|now| now.failure()).map(Failure::code), Some("stalled"));
}

/// FAULTS 50, 51: a date set ten years on once ended all that had a time limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_jumps_ends_nothing_early_and_nothing_late() {
    let Bench { tracker, clock, .. } =
        bench_with(|builder| builder.lease("export", LIMIT * 2).time_limit("export", LIMIT)).await;
    tracker.sweep().await.unwrap();
    // A small generator: the same jumps in every run.
    let mut state = 7_u64;
    for round in 0..50 {
        let a = running(&tracker, "export", &format!("a{round}")).await;
        let mut passed = Duration::ZERO;
        while passed + SECOND * 10 < LIMIT {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let year = 2016 + (state >> 33) % 21;
            clock.set(date(&format!("{year}-05-04T12:00:00Z")));
            let swept = tracker.sweep().await.unwrap();
            assert_eq!((swept.timed_out, swept.stalled), (vec![], vec![]), "{round}: after {passed:?}");
            clock.advance(SECOND * 300);
            passed += SECOND * 300;
        }
        clock.advance(SECOND * 10);
        assert_eq!(tracker.sweep().await.unwrap().timed_out, std::slice::from_ref(&a));
        assert_eq!(code(&tracker, &a).await.as_deref(), Some("timeout"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_counts_from_the_dates_where_there_is_nothing_else() {
    let Bench { tracker, clock, .. } = bench_with(|builder| builder.time_limit("export", LIMIT)).await;
    let a = running(&tracker, "export", "a").await;
    clock.advance(LIMIT);
    // The first sweep of this process.
    assert_eq!(tracker.sweep().await.unwrap().timed_out, [a]);
}

/// FAULTS 55: 100,000 that are due, and one of them that cannot be ended.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_ended_keeps_no_other() {
    const DUE: usize = 100_000;
    let bench =
        bench_with(|builder| builder.lease("export", LEASE).lease("import", LEASE).time_limit("report", LIMIT))
            .await;
    let Bench { tracker, clock, faults } = bench;
    let mut creates = tokio::task::JoinSet::new();
    for part in 0..2_000 {
        let tracker = tracker.clone();
        creates.spawn(async move {
            for n in 0..DUE / 2_000 {
                running(&tracker, ["export", "report"][n % 2], &format!("{part}-{n}")).await;
            }
        });
    }
    creates.join_all().await;
    let stuck = [id("0-0"), id("0-1")];
    faults.stuck.lock().unwrap().extend(stuck.clone());
    clock.advance(LIMIT + SECOND);
    let first = tracker.sweep().await.unwrap();
    let second = tracker.sweep().await.unwrap();
    assert_eq!(first.stalled.len() + second.stalled.len(), DUE / 2 - 1);
    assert_eq!(first.timed_out.len() + second.timed_out.len(), DUE / 2 - 1);
    assert_eq!(tracker.counts().await.unwrap().of(Status::Running), 2);
    faults.stuck.lock().unwrap().clear();
    let third = tracker.sweep().await.unwrap();
    assert_eq!([third.stalled, third.timed_out].concat(), stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_deletes_what_ended_long_ago_and_nothing_else() {
    let day = Duration::from_hours(24);
    let Bench { tracker, clock, .. } = bench_with(|builder| {
        builder.retention(None, Status::Completed, day).retention(Some("kept"), Status::Completed, day * 30)
    })
    .await;
    let old = running(&tracker, "export", "old").await;
    let kept = running(&tracker, "kept", "kept").await;
    let failed = running(&tracker, "export", "failed").await;
    let active = running(&tracker, "export", "active").await;
    tracker.complete(&old, 1).await.unwrap();
    tracker.complete(&kept, 1).await.unwrap();
    tracker.fail(&failed, Failure::new("no", "no")).await.unwrap();
    clock.advance(day);
    assert_eq!(tracker.sweep().await.unwrap().deleted, 0, "not older than a day");
    clock.advance(SECOND);
    let young = running(&tracker, "export", "young").await;
    tracker.complete(&young, 1).await.unwrap();
    // A date set forward makes nothing old.
    let now = date("2026-05-05T12:00:01Z");
    clock.set(date("2036-05-04T12:00:00Z"));
    assert_eq!(tracker.sweep().await.unwrap().deleted, 1, "old alone");
    clock.set(now);
    assert!(tracker.get(&old).await.is_err());
    for id in [&kept, &failed, &active, &young] {
        tracker.get(id).await.unwrap();
    }
    clock.advance(day * 31);
    assert_eq!(tracker.sweep().await.unwrap().deleted, 2);
    assert!(tracker.get(&active).await.is_ok() && tracker.get(&failed).await.is_ok());
}

/// Ten thousand old ones of a type that keeps them longer once hid all that came after them.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_rule_keeps_hides_nothing_from_retention() {
    let day = Duration::from_hours(24);
    let Bench { tracker, clock, faults } = bench_with(|builder| {
        builder.retention(None, Status::Failed, day).retention(Some("kept"), Status::Failed, day * 300)
    })
    .await;
    let mut creates = tokio::task::JoinSet::new();
    for part in 0..1_000 {
        let tracker = tracker.clone();
        creates.spawn(async move {
            for n in 0..11 {
                let new = NewOperation::new("kept").id(id(&format!("{part}-{n}")));
                let id = tracker.create(new).await.unwrap().id().clone();
                tracker.cancel(&id).await.unwrap();
            }
        });
    }
    creates.join_all().await;
    clock.advance(SECOND);
    for name in ["stuck", "late"] {
        let late = tracker.create(NewOperation::new("export").id(id(name))).await.unwrap();
        tracker.cancel(late.id()).await.unwrap();
    }
    faults.stuck.lock().unwrap().insert(id("stuck"));
    clock.advance(day + SECOND);
    assert_eq!(tracker.sweep().await.unwrap().deleted, 1);
    assert!(tracker.get(&id("late")).await.is_err());
    assert_eq!(tracker.counts().await.unwrap().total(), 1_000 * 11 + 1);
}

/// FAULTS 38: retention deletes the record it looked at: what was created again under the name meanwhile stays.
#[tokio::test(flavor = "multi_thread")]
async fn retention_beside_a_re_creation_deletes_nothing_alive() {
    let Bench { tracker, clock, .. } =
        bench_with(|builder| builder.retention(None, Status::Failed, Duration::from_secs(10))).await;
    for round in 0..300 {
        let a = tracker.create(NewOperation::new("export").id(id("a"))).await.unwrap().id().clone();
        tracker.cancel(&a).await.unwrap();
        clock.advance(SECOND * 11);
        let sweep = tokio::spawn({
            let tracker = tracker.clone();
            async move { tracker.sweep().await }
        });
        let deleted = tracker.delete(&a).await.is_ok();
        let again = tracker.create(NewOperation::new("again").id(a.clone())).await;
        let swept = soon("the sweep", sweep).await.unwrap().unwrap();
        assert_eq!(u64::from(deleted) + swept.deleted, 1, "round {round}: deleted once");
        again.unwrap();
        assert_eq!(tracker.get(&a).await.unwrap().status(), Status::NotStarted, "round {round}");
        tracker.cancel(&a).await.unwrap();
        tracker.delete(&a).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn maintain_sweeps_by_the_clock_and_ends_with_the_tracker() {
    let Bench { tracker, clock, .. } = bench_with(|builder| builder.lease("export", LEASE)).await;
    let a = running(&tracker, "export", "a").await;
    let mut maintain = Box::pin(tracker.maintain());
    assert!(poll_once(maintain.as_mut()).is_none());
    clock.advance(LEASE + SECOND);
    let maintaining = tokio::spawn(maintain);
    let ended = soon("the sweep", tracker.wait(&a, Duration::MAX)).await.unwrap();
    assert_eq!(ended.failure().map(Failure::code), Some("stalled"));
    drop(tracker);
    clock.advance(SECOND * 10);
    soon("maintain", maintaining).await.unwrap();
}
