//! A store on one machine that has grown too small is moved, half done, and finished here; and back again.

use std::sync::Arc;
use std::time::Duration;

use longrun::clock::SystemClock;
use longrun::model::{OrderBy, Query};
use longrun::store::{SledOptions, SledStore, Store};
use longrun::transfer::{export, import};
use longrun::{Failure, NewOperation, Operation, OperationId, Status, Tracker};
use longrun_checks_postgres::Server;

use crate::support::{patient, sound};

const JOBS: u32 = 600;

fn id(number: u32) -> OperationId {
    OperationId::derive("file", number.to_string())
}

async fn sled(folder: &std::path::Path) -> SledStore {
    SledStore::open_folder(SledOptions::new(folder), Arc::new(SystemClock::default())).await.unwrap()
}

/// Everything, newest last, as lists show it.
async fn listed(store: &dyn Store) -> Vec<Operation> {
    let mut query = Query::default();
    query.order = OrderBy::Created;
    let mut all = Vec::new();
    loop {
        let page = store.page(&query).await.unwrap();
        all.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

/// Does the jobs from one to another; a third of them fails.
async fn work(tracker: &Tracker, numbers: std::ops::Range<u32>) {
    let mut workers = tokio::task::JoinSet::new();
    for number in numbers {
        let tracker = tracker.clone();
        workers.spawn(async move {
            let done = tracker
                .run(&id(number), async move |run| {
                    run.progress(50);
                    if number % 3 == 0 { Err("it broke") } else { Ok(number) }
                })
                .await;
            assert_eq!(done.is_ok(), number % 3 != 0);
        });
    }
    workers.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sled_worker_half_done_is_finished_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let at_home = Tracker::open(folder.path().join("jobs")).await.unwrap();
    for number in 0..JOBS {
        let new = NewOperation::new("hash").id(id(number)).label("file", number.to_string());
        at_home.create(new).await.unwrap();
    }
    work(&at_home, 0..JOBS / 2).await;
    // Killed with ten in hand.
    let mut hands = Vec::new();
    for number in JOBS / 2..JOBS / 2 + 10 {
        hands.push(at_home.start(&id(number)).await.unwrap());
    }
    let held = at_home.get(&id(JOBS / 2)).await.unwrap();
    at_home.heartbeat(held.id()).await.unwrap();
    // Nothing is called any more, so nothing settles them.
    drop((hands, at_home));

    let store = loop {
        // The lock may outlive the tracker by a moment.
        match SledStore::open_folder(SledOptions::new(folder.path().join("jobs")), Arc::new(SystemClock::default()))
            .await
        {
            Ok(store) => break store,
            Err(longrun::store::StoreError::Locked(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    };
    let exported = export(&store, &file).await.unwrap();
    assert_eq!((exported.operations, exported.behind), (JOBS.into(), 0));
    let before = listed(&store).await;
    store.close().await.unwrap();

    let server = Server::start();
    let pool = server.pool(16).await;
    let target = patient(&pool).await;
    let moved = Tracker::builder().open_store(Arc::new(target.clone())).await.unwrap();
    let imported = import(&target, &file).await.unwrap();
    assert_eq!((imported.written, imported.orphaned), (JOBS.into(), 10));
    assert_eq!(imported.verified, u64::from(JOBS - 10));
    for operation in &before {
        let there = moved.get(operation.id()).await.unwrap();
        if operation.status() == Status::Running {
            assert_eq!(there.failure().map(Failure::code), Some("orphaned"));
            assert_eq!((there.created(), there.started()), (operation.created(), operation.started()));
        } else {
            assert_eq!(&there, operation);
        }
    }
    // What was in hand is tried again, as after any crash; the rest goes on.
    for number in JOBS / 2..JOBS / 2 + 10 {
        let again = NewOperation::new("hash").id(id(number).attempt(2).unwrap()).retry_of(id(number));
        let again = moved.create(again).await.unwrap();
        moved.run(again.id(), async |_| Ok::<_, Failure>(number)).await.unwrap();
    }
    work(&moved, JOBS / 2 + 10..JOBS).await;
    let failed = (0..JOBS).filter(|number| number % 3 == 0 && !(JOBS / 2..JOBS / 2 + 10).contains(number)).count();
    let failed = u64::try_from(failed).unwrap() + 10;
    sound(&target, [0, 0, u64::from(JOBS) + 10 - failed, failed]).await;

    // A backup of it, restored where there is no server.
    let backup = folder.path().join("backup.jsonl");
    assert_eq!(export(&target, &backup).await.unwrap().operations, u64::from(JOBS) + 10);
    let home = sled(&folder.path().join("restored")).await;
    let restored = import(&home, &backup).await.unwrap();
    assert_eq!((restored.written, restored.orphaned, restored.verified), (610, 0, 610));
    assert_eq!(listed(&home).await, listed(&target).await);
    moved.close(Duration::ZERO).await.unwrap();
    home.close().await.unwrap();
}
