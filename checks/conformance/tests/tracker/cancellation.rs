//! FAULTS 56: every public async function is polled k times and dropped, for every k from 0 until it
//! completes. Each record is then as before or as after the whole call, and `verify` finds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use longrun::model::{Failure, Query};
use longrun::store::Position;
use longrun::{NewOperation, Operation, Patch, Status, Tracker};

use crate::polled::{Polled, finish};
use crate::world::{LEASE, Records, World, id};

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Case {
    name: &'static str,
    call: fn(&Tracker) -> Call,
    /// What is set up before, and not counted.
    ready: fn(&World),
}

macro_rules! case {
    ($name:literal, |$tracker:ident| $body:expr) => {
        case!($name, |_world| {}, |$tracker| $body)
    };
    ($name:literal, |$world:ident| $ready:block, |$tracker:ident| $body:expr) => {
        Case {
            name: $name,
            ready: |$world| $ready,
            call: |tracker| {
                let $tracker = tracker.clone();
                Box::pin(async move {
                    // What it answers is for other tests.
                    let _ = $body;
                })
            },
        }
    };
}

/// Two operations of a group.
fn in_group(world: &World) {
    for name in ["one", "other"] {
        finish(world.tracker.create(NewOperation::new("export").id(id(name)).group("some"))).unwrap();
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    vec![
        case!("Tracker::create", |t| t.create(NewOperation::new("export").label("a", "b")).await),
        case!("Tracker::create_new", |t| t.create_new(NewOperation::new("export").id(id("new"))).await),
        case!("Tracker::get", |t| t.get(&id("running")).await),
        case!("Tracker::patch", |t| t.patch(&id("waiting"), Patch::new().status(Status::Running)).await),
        case!("Tracker::patch_json", |t| {
            let body = br##"{"@odata.type": "#microsoft.graph.operation", "status": "Running"}"##;
            t.patch_json(&id("waiting"), None, body).await
        }),
        case!("Tracker::progress", |t| t.progress(&id("running"), 40).await),
        case!("Tracker::heartbeat", |t| t.heartbeat(&id("running")).await),
        case!("Tracker::complete", |t| t.complete(&id("running"), "result").await),
        case!("Tracker::fail", |t| t.fail(&id("running"), Failure::new("code", "message")).await),
        case!("Tracker::cancel", |t| t.cancel(&id("waiting")).await),
        case!("Tracker::retry", |t| t.retry(&id("done")).await),
        case!("Tracker::create_many", |t| {
            t.create_many([NewOperation::new("export"), NewOperation::new("export")]).await;
            longrun::Result::<()>::Ok(())
        }),
        case!("Tracker::patch_many", |t| {
            let starts = [id("waiting"), id("held")].map(|id| (id, Patch::new().status(Status::Running)));
            t.patch_many(starts).await;
            longrun::Result::<()>::Ok(())
        }),
        case!("Tracker::group_counts", |t| t.group_counts("some").await),
        case!("Tracker::wait_group", |world| { in_group(world) }, |t| t.wait_group("some", Duration::ZERO).await),
        case!("Tracker::cancel_group", |world| { in_group(world) }, |t| t.cancel_group("some").await),
        case!("Tracker::claim", |t| t.claim(&id("waiting"), "worker-7").await),
        case!("Tracker::delete", |t| t.delete(&id("done")).await),
        case!("Tracker::list", |t| t.list().status(Status::Running).await),
        case!("Tracker::page", |t| t.page(&Query::default()).await),
        case!("Tracker::counts", |t| t.counts().await),
        case!("Tracker::latest", |t| t.latest().await),
        case!("Tracker::changes", |t| t.changes(&Position::START, 100).await),
        case!("Tracker::verify", |t| t.verify().await),
        case!("Tracker::start", |t| t.start(&id("waiting")).await),
        case!("Tracker::run", |t| {
            let run = t.run(&id("waiting"), async |run| {
                run.progress(50);
                tokio::task::yield_now().await;
                Ok::<_, std::io::Error>(7)
            });
            run.await
        }),
        case!("Tracker::watch", |t| t.watch(&id("running")).await),
        case!("Watch::next", |t| match t.watch(&id("done")).await {
            Ok(mut watch) => watch.next().await.map(drop),
            Err(_) => None,
        }),
        case!("Tracker::wait", |t| t.wait(&id("running"), Duration::ZERO).await),
        case!("Tracker::wait_all", |t| t.wait_all(&[id("done"), id("running")], Duration::ZERO).await),
        case!("Tracker::wait_any", |t| t.wait_any(&[id("running"), id("done")], LEASE).await),
        case!("Tracker::sweep", |t| t.sweep().await),
        case!("Tracker::maintain", |t| {
            let mut maintain = Box::pin(t.maintain());
            // Retention comes last.
            let mut turns = 0;
            while t.get(&id("failed")).await.is_ok() {
                turns += 1;
                assert!(turns < 10_000, "what is old is not deleted");
                let poll = |context: &mut Context<'_>| Poll::Ready(maintain.as_mut().poll(context).is_ready());
                std::future::poll_fn(poll).await;
            }
            // It ends with the tracker.
            drop(t.close(Duration::ZERO).await);
            maintain.await;
        }),
        case!(
            "Tracker::close (while a run is held)",
            |world| {
                std::mem::forget(finish(world.tracker.start(&id("waiting"))).unwrap());
            },
            |t| t.close(Duration::ZERO).await
        ),
        case!("Tracker::close", |t| t.close(Duration::ZERO).await),
        case!("Run::progress", |t| match t.start(&id("waiting")).await {
            Ok(run) => run.progress(40).await.map(drop),
            Err(error) => Err(error),
        }),
        case!("Run::detail", |t| match t.start(&id("waiting")).await {
            Ok(run) => run.detail("text").await.map(drop),
            Err(error) => Err(error),
        }),
        case!("Run::heartbeat", |t| match t.start(&id("waiting")).await {
            Ok(run) => run.heartbeat().await.map(drop),
            Err(error) => Err(error),
        }),
        case!("Run::update", |t| match t.start(&id("waiting")).await {
            Ok(run) => run.update(Patch::new().detail("text")).await.map(drop),
            Err(error) => Err(error),
        }),
        case!("Run::cancelled", |t| if let Ok(run) = t.start(&id("waiting")).await {
            drop(t.cancel(run.id()).await);
            run.cancelled().await;
        }),
        case!("Reporter::cancelled", |t| {
            let run = t.run(&id("waiting"), async |run| {
                drop(run.tracker().cancel(run.id()).await);
                run.cancelled().await;
                // Else it ends as the work says or as cancelled, whichever is seen first.
                std::future::pending::<std::io::Result<()>>().await
            });
            run.await
        }),
        case!("Run::complete", |t| match t.start(&id("waiting")).await {
            Ok(run) => run.complete("result").await.map(drop).map_err(drop),
            Err(_) => Err(()),
        }),
        case!("Run::fail", |t| match t.start(&id("waiting")).await {
            Ok(run) => run.fail(Failure::new("code", "message")).await.map(drop).map_err(drop),
            Err(_) => Err(()),
        }),
        case!(
            "settle (a dropped run, by the next call)",
            |world| {
                drop(finish(world.tracker.start(&id("waiting"))).unwrap());
            },
            |t| t.counts().await
        ),
    ]
}

/// The records that a whole call goes through, and how often it is polled.
fn whole(case: &Case) -> (Vec<Records>, usize) {
    let world = World::new();
    (case.ready)(&world);
    let mut seen = vec![world.records()];
    let mut call = Polled::new((case.call)(&world.tracker));
    let mut polls = 0;
    loop {
        polls += 1;
        if call.polls(1).is_some() {
            break;
        }
        // The store within shows each write as it comes, until it is closed.
        seen.extend(world.records_while_open());
        call.await_wake();
    }
    drop(call);
    seen.push(world.settled_records());
    (seen, polls)
}

/// Whether a record is one that nobody promised never to see.
fn is_whole(found: Option<&Operation>, seen: &[Option<&Operation>]) -> bool {
    if seen.contains(&found) {
        return true;
    }
    // What a dropped call had claimed is abandoned, interrupted or orphaned: on top of a whole version.
    let Some(found) = found else { return false };
    let settled =
        found.failure().is_some_and(|failure| [Failure::ABANDONED, Failure::INTERRUPTED].contains(&failure.code()));
    settled
        && seen.iter().flatten().any(|seen| {
            seen.status() == Status::Running
                && seen.version().birth() == found.version().birth()
                && seen.version().n() + 1 == found.version().n()
                && (seen.progress(), seen.detail(), seen.started())
                    == (found.progress(), found.detail(), found.started())
        })
}

#[test]
fn every_function_is_all_or_nothing_when_it_is_dropped() {
    let mut total = 0;
    for case in cases() {
        let (seen, polls) = whole(&case);
        // One more: where a poll came late, the call still ends.
        for dropped_after in 0..=polls + 1 {
            let world = World::new();
            (case.ready)(&world);
            let mut call = Polled::new((case.call)(&world.tracker));
            let _ = call.polls(dropped_after);
            drop(call);
            total += 1;
            let found = world.settled_records();
            let ids: BTreeSet<_> = seen.iter().flat_map(BTreeMap::keys).chain(found.keys()).collect();
            for id in ids {
                let allowed: Vec<_> = seen.iter().map(|records| records.get(id)).collect();
                let what = || format!("{} dropped after {dropped_after} of {polls} polls", case.name);
                let is_whole = is_whole(found.get(id), &allowed);
                assert!(is_whole, "{}: {:#?} is none of {allowed:#?}", what(), found.get(id));
            }
        }
        assert!(polls > 1, "{} was never interrupted", case.name);
        println!("{}: completes at poll {polls}", case.name);
    }
    println!("{} functions, {total} dropped calls, none left half a change", cases().len());
}

/// A function that is added without a row fails here.
#[test]
fn every_public_async_function_has_a_case() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/tracker");
    let cases = cases();
    let names = cases.iter().map(|case| case.name.split(' ').next().unwrap().rsplit("::").next().unwrap());
    let cases: Vec<_> = names.collect();
    let mut functions = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let Some(rest) = line.trim().strip_prefix("pub async fn ") else { continue };
            let name = rest.split(['(', '<']).next().unwrap();
            functions += 1;
            if ["open", "open_with", "in_memory", "open_store"].contains(&name) {
                // `opening_may_be_dropped`.
                continue;
            }
            assert!(cases.contains(&name), "{name} of {} has no case", path.display());
        }
    }
    assert!(functions >= 25, "{functions} functions found");
}

/// An open that is dropped leaves the folder free, and what was there, there.
#[test]
fn opening_may_be_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _runtime = runtime.enter();
    let create = async {
        let tracker = Tracker::open(&path).await?;
        tracker.create(NewOperation::new("export").id(id("kept"))).await?;
        drop(tracker.start(&id("kept")).await?);
        longrun::Result::<()>::Ok(())
    };
    // Dropped without a close: an orphan, ended by an open that comes to its end.
    finish(create).unwrap();
    for polls in 0..8 {
        let mut open = Polled::new(Tracker::open(&path));
        let _ = open.polls(polls);
        drop(open);
    }
    let tracker = loop {
        match finish(Tracker::open(&path)) {
            Ok(tracker) => break tracker,
            // The thread of an open that was dropped ends by itself.
            Err(error) => assert_eq!(error.kind(), longrun::ErrorKind::Locked, "{error:?}"),
        }
    };
    let kept = finish(tracker.get(&id("kept"))).unwrap();
    assert_eq!(kept.failure().map(Failure::code), Some(Failure::ORPHANED));
    assert_eq!(finish(tracker.verify()).unwrap().problems, Vec::<String>::new());
    finish(tracker.close(Duration::ZERO)).unwrap();
}
