//! The embedded store against naive models: pages, counts, feed, reopening; and races that count.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use longrun::clock::{Clock, ManualClock};
use longrun::model::{
    Applied, Failure, NewOperation, Operation, OperationId, OrderBy, Patch, Query, Rules, Status, Timestamp,
    Version,
};
use longrun::store::{
    Change, Counts, Durability, MemoryEngine, MemoryStore, Position, SledOptions, SledStore, Store, Swap,
};
use proptest::prelude::*;

use crate::support::{clock, id, new, put, soon};

const EPOCH: i64 = 639_028_224_000_000_000;

/// One thing that is done to the store; ids and times are few, so that they meet.
#[derive(Clone, Debug)]
enum Act {
    Create {
        id: u8,
        at: i64,
        type_name: u8,
        label: u8,
    },
    Write {
        id: u8,
        kind: u8,
        eventual: bool,
    },
    Remove {
        id: u8,
    },
    /// A page of a walk, a stretch of a feed.
    Walk,
    Feed,
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        5 => (0_u8..20, 0_i64..4, 0_u8..3, 0_u8..3).prop_map(|(id, at, type_name, label)| Act::Create { id, at, type_name, label }),
        6 => (0_u8..20, 0_u8..5, any::<bool>()).prop_map(|(id, kind, eventual)| Act::Write { id, kind, eventual }),
        2 => (0_u8..20).prop_map(|id| Act::Remove { id }),
        2 => Just(Act::Walk),
        2 => Just(Act::Feed),
        1 => Just(Act::Reopen),
    ];
    proptest::collection::vec(act, 1..60)
}

fn queries() -> impl Strategy<Value = Query> {
    let time = || proptest::option::weighted(0.3, 0_i64..5);
    let statuses = proptest::sample::subsequence(Status::ALL.to_vec(), 0..=4);
    let terminal = proptest::sample::select(&[Status::Completed, Status::Failed][..]);
    let order = prop_oneof![
        3 => statuses.prop_map(|statuses| (OrderBy::Created, statuses)),
        1 => terminal.prop_map(|status| (OrderBy::LastAction, vec![status])),
    ];
    let filters = (proptest::option::weighted(0.4, 0_u8..4), proptest::option::weighted(0.4, 0_u8..4));
    (order, filters, time(), time(), any::<bool>(), 1_u32..6).prop_map(
        |((order, statuses), (name, label), from, until, descending, limit)| {
            let stamp = |tick: i64| Timestamp::new(EPOCH + tick, 0).unwrap();
            let mut query = Query::default();
            query.order = order;
            query.statuses = statuses;
            query.type_name = name.map(|number| format!("type{number}"));
            query.label = label.map(|number| ("k".into(), format!("v{number}")));
            query.from = from.map(stamp);
            query.until = until.map(stamp);
            query.descending = descending;
            query.limit = NonZeroU32::new(limit).unwrap();
            query
        },
    )
}

/// A filter and a sort of everything: what a list must be, by its words alone.
fn naive<'a>(all: impl Iterator<Item = &'a Operation>, query: &Query) -> Vec<Operation> {
    let stamp = |operation: &Operation| match query.order {
        OrderBy::LastAction => operation.stamps().last_action.ticks(),
        _ => operation.stamps().created.ticks(),
    };
    let mut found: Vec<Operation> = all
        .filter(|operation| query.statuses.is_empty() || query.statuses.contains(&operation.status()))
        .filter(|operation| query.type_name.is_none() || operation.type_name() == query.type_name.as_deref())
        .filter(|operation| {
            query.label.as_ref().is_none_or(|(key, value)| operation.labels().any(|label| label == (key, value)))
        })
        .filter(|operation| query.from.is_none_or(|from| stamp(operation) >= from.ticks()))
        .filter(|operation| query.until.is_none_or(|until| stamp(operation) < until.ticks()))
        .cloned()
        .collect();
    found.sort_by_key(|operation| (stamp(operation), operation.id().to_string()));
    if query.descending {
        found.reverse();
    }
    found
}

/// What the store should hold, and what its readers know.
#[derive(Default)]
struct Naive {
    live: BTreeMap<OperationId, Operation>,
    births: u64,
    /// A reader of the feed: what it knows by what it was told.
    told: BTreeMap<OperationId, Operation>,
    position: Option<Position>,
}

fn name(number: u8) -> OperationId {
    // Both forms of an id.
    if number.is_multiple_of(2) {
        format!("op-{number}").parse().unwrap()
    } else {
        format!("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a{number:02x}").parse().unwrap()
    }
}

fn patch(kind: u8) -> Patch {
    match kind {
        0 => Patch::new().status(Status::Running),
        1 => Patch::new().progress(50).detail("half"),
        2 => Patch::complete(None),
        3 => Patch::fail(Failure::new("x", "y")),
        _ => Patch::heartbeat(),
    }
}

async fn walk(store: &impl Store, query: &Query) -> Vec<Operation> {
    let mut query = query.clone();
    let mut all = Vec::new();
    for _ in 0..1_000 {
        let page = store.page(&query).await.unwrap();
        assert!(page.items.len() <= query.limit.get() as usize);
        all.extend(page.items);
        match page.next {
            None => return all,
            next => query.after = next,
        }
    }
    panic!("the list never ends: {query:?}");
}

async fn read_feed(store: &impl Store, naive: &mut Naive) {
    let mut position = naive.position.unwrap_or(Position::START);
    let from_start = naive.position.is_none();
    for _ in 0..1_000 {
        let stretch = store.changes(&position, NonZeroU32::new(3).unwrap()).await.unwrap();
        let mut seen: Vec<_> = stretch.items.iter().map(Change::id).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), stretch.items.len(), "each operation once");
        for change in stretch.items {
            match change {
                Change::Updated(operation) => {
                    naive.told.insert(operation.id().clone(), operation);
                }
                Change::Deleted { id, version } => {
                    // A later life of the name may have come and gone unseen: its end is told.
                    if naive.told.remove(&id).is_none() {
                        // Made and gone since, or before the reader began.
                        assert!(from_start || version.birth() > 0);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        // Positions survive as text.
        position = stretch.next.to_string().parse().unwrap();
        naive.position = Some(position);
        if stretch.at_end {
            return;
        }
    }
    panic!("the feed never ends");
}

fn recount<'a>(all: impl Iterator<Item = &'a Operation>) -> Counts {
    let mut counts = Counts::default();
    for operation in all {
        counts.add(operation.type_name(), operation.status(), 1);
    }
    counts
}

async fn play<S: Store>(acts: &[Act], queries: &[Query], clock: &ManualClock, open: impl AsyncFn() -> S) {
    let mut store = open().await;
    let mut naive = Naive::default();
    for (number, act) in acts.iter().enumerate() {
        let stamp = |tick: i64| Timestamp::new(EPOCH + tick, 0).unwrap();
        match act {
            Act::Create { id, at, type_name, label } => {
                let mut new = match type_name {
                    0 => NewOperation::untyped(),
                    number => NewOperation::new(format!("type{number}")),
                };
                if *label > 0 {
                    new = new.label("k", format!("v{label}")).label("n", "1");
                }
                naive.births += 1;
                let first = Operation::new(&new, name(*id), naive.births, &Rules::new(1), stamp(*at)).unwrap();
                let swap = store.swap(None, &first, Durability::Immediate).await.unwrap();
                match naive.live.get(&name(*id)) {
                    None => {
                        assert_eq!(swap, Swap::Stored);
                        naive.live.insert(name(*id), first);
                    }
                    Some(there) => assert_eq!(swap, Swap::Lost(Some(there.clone()))),
                }
            }
            Act::Write { id, kind, eventual } => {
                let Some(now) = naive.live.get(&name(*id)).cloned() else { continue };
                let Ok(Applied::Changed { next, notable }) =
                    now.apply(&patch(*kind), &Rules::new(1), stamp(i64::from(*kind)))
                else {
                    continue;
                };
                let durability = if *eventual && !notable { Durability::Eventual } else { Durability::Immediate };
                // A stale writer first.
                let stale = Version::new(0, now.version().n(), 1);
                let lost = store.swap(Some(stale), &next, durability).await.unwrap();
                assert_eq!(lost, Swap::Lost(Some(now.clone())));
                assert_eq!(store.swap(Some(now.version()), &next, durability).await.unwrap(), Swap::Stored);
                naive.live.insert(name(*id), next);
            }
            Act::Remove { id } => {
                let Some(now) = naive.live.remove(&name(*id)) else { continue };
                assert_eq!(store.remove(now.id(), now.version()).await.unwrap(), Swap::Stored);
            }
            Act::Walk => {
                let query = &queries[number % queries.len()];
                assert_eq!(walk(&store, query).await, naive_list(&naive, query), "{query:?}");
            }
            Act::Feed => {
                // What is Eventual is told when it is durable: verify is behind no group, a close is.
                read_feed(&store, &mut naive).await;
            }
            Act::Reopen => {
                let opened = store.opened();
                soon("close", store.close()).await.unwrap();
                drop(store);
                store = open().await;
                assert_eq!(store.opened().store, opened.store);
                assert!(store.opened().instance > opened.instance);
                read_feed(&store, &mut naive).await;
                assert_eq!(naive.told, naive.live, "the feed, resumed over a reopening");
            }
        }
        clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(store.counts().await.unwrap(), recount(naive.live.values()));
    }
    soon("close", store.close()).await.unwrap();
    drop(store);
    let store = open().await;
    for number in 0..20 {
        assert_eq!(store.load(&name(number)).await.unwrap().as_ref(), naive.live.get(&name(number)));
    }
    for query in queries {
        assert_eq!(walk(&store, query).await, naive_list(&naive, query), "{query:?}");
    }
    read_feed(&store, &mut naive).await;
    assert_eq!(naive.told, naive.live, "the feed, resumed");
    let mut fresh = Naive::default();
    read_feed(&store, &mut fresh).await;
    assert_eq!(fresh.told, naive.live, "the feed from the start is the snapshot");
    let report = soon("verify", store.verify()).await.unwrap();
    assert_eq!(report.problems, [""; 0]);
    soon("close", store.close()).await.unwrap();
}

fn naive_list(model: &Naive, query: &Query) -> Vec<Operation> {
    naive(model.live.values(), query)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn memory_is_what_a_naive_store_is(acts in acts(), queries in proptest::collection::vec(queries(), 1..8)) {
        block_on(async {
            let (engine, clock) = (MemoryEngine::default(), clock());
            let open = async || {
                MemoryStore::over(engine.clone(), Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap()
            };
            play(&acts, &queries, &clock, open).await;
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sled_is_what_a_naive_store_is(acts in acts(), queries in proptest::collection::vec(queries(), 1..8)) {
        block_on(async {
            let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
            let open = async || {
                let options = SledOptions::new(folder.path().join("store")).cache_bytes(1 << 20).journal_bytes(1 << 22);
                SledStore::open_folder(options, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap()
            };
            play(&acts, &queries, &clock, open).await;
        });
    }

    /// FAULTS 36: while others write, a walk shows everything that was there throughout, once.
    #[test]
    fn a_walk_is_stable_under_writes(count in 1_u8..60, descending in any::<bool>(), limit in 1_u32..7, moves in proptest::collection::vec((0_u8..60, any::<bool>()), 0..60)) {
        block_on(async {
            let store = MemoryStore::in_memory(clock()).await.unwrap();
            let made = |number: u8| {
                let at = Timestamp::new(EPOCH + i64::from(number / 4), 0).unwrap();
                Operation::new(&NewOperation::untyped(), name(number), u64::from(number) + 1, &Rules::new(1), at).unwrap()
            };
            for number in 0..count {
                put(&store, None, &made(number)).await;
            }
            let mut gone = Vec::new();
            let mut query = Query::default();
            query.descending = descending;
            query.limit = NonZeroU32::new(limit).unwrap();
            let mut seen = Vec::new();
            let mut moves = moves.into_iter();
            loop {
                let page = store.page(&query).await.unwrap();
                seen.extend(page.items.iter().map(|operation| operation.id().clone()));
                for (number, removes) in moves.by_ref().take(2) {
                    match store.load(&name(number)).await.unwrap() {
                        None if number >= count => put(&store, None, &made(number)).await,
                        None => {}
                        Some(now) if removes => {
                            crate::support::remove(&store, &now).await;
                            gone.push(now.id().clone());
                        }
                        Some(now) => put(&store, Some(&now), &crate::support::after(&now, &Patch::heartbeat())).await,
                    }
                }
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
            let mut once = seen.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), seen.len(), "each once");
            for number in (0..count).filter(|number| !gone.contains(&name(*number))) {
                assert!(seen.contains(&name(number)), "{number} was there throughout");
            }
        });
    }
}

/// N tasks add to one operation M times each, through load, apply, swap and retry: the sum is N x M.
async fn add(store: Arc<impl Store>, durability: Durability) {
    const TASKS: u64 = 8;
    const EACH: u64 = 50;
    put(&*store, None, &new("sum")).await;
    let tasks = (0..TASKS).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut lost = 0_u64;
            for _ in 0..EACH {
                loop {
                    let now = store.load(&id("sum")).await.unwrap().unwrap();
                    // Between reading and writing is where the others come in.
                    tokio::task::yield_now().await;
                    let sum: u64 = now.detail().map_or(0, |text| text.parse().unwrap());
                    let next = crate::support::after(&now, &Patch::new().detail((sum + 1).to_string()));
                    match store.swap(Some(now.version()), &next, durability).await.unwrap() {
                        Swap::Stored => break,
                        Swap::Lost(Some(winner)) => {
                            lost += 1;
                            assert_ne!(winner.version(), now.version(), "a loser is told what it knew");
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            lost
        })
    });
    let mut lost = 0;
    for task in tasks.collect::<Vec<_>>() {
        lost += soon("a task", task).await.unwrap();
    }
    let sum = store.load(&id("sum")).await.unwrap().unwrap();
    assert_eq!(sum.detail(), Some(&*(TASKS * EACH).to_string()));
    assert_eq!(sum.version().n(), TASKS * EACH + 1);
    println!("{TASKS} tasks x {EACH} under {durability:?}: {lost} lost rounds");
    assert_eq!(soon("verify", store.verify()).await.unwrap().problems, [""; 0]);
    soon("close", store.close()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn races_on_memory_add_up() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        add(Arc::new(MemoryStore::in_memory(clock()).await.unwrap()), durability).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn races_on_sled_add_up() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let folder = tempfile::tempdir().unwrap();
        let options = SledOptions::new(folder.path().join("store")).cache_bytes(1 << 20).journal_bytes(1 << 22);
        add(Arc::new(SledStore::open_folder(options, clock()).await.unwrap()), durability).await;
    }
}

/// Twelve starters of one claim, over and over: one wins, the others are told by whom.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_claims_wins() {
    let store = Arc::new(MemoryStore::in_memory(clock()).await.unwrap());
    for round in 0..40 {
        let first = new(&format!("op-{round}"));
        put(&*store, None, &first).await;
        let racers: Vec<_> = (0..12)
            .map(|racer| {
                let (store, first) = (Arc::clone(&store), first.clone());
                tokio::spawn(async move {
                    let next = crate::support::after(&first, &Patch::claim(format!("worker-{racer}")));
                    let swap = store.swap(Some(first.version()), &next, Durability::Immediate).await.unwrap();
                    (racer, swap)
                })
            })
            .collect();
        let (mut winners, mut told) = (Vec::new(), Vec::new());
        for racer in racers {
            match soon("a racer", racer).await.unwrap() {
                (racer, Swap::Stored) => winners.push(format!("worker-{racer}")),
                (_, Swap::Lost(Some(current))) => told.push(current.holder().unwrap().to_owned()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((winners.len(), told.len()), (1, 11));
        assert!(told.iter().all(|holder| *holder == winners[0]));
    }
    soon("close", store.close()).await.unwrap();
}
