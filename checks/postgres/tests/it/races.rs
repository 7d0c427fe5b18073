//! FAULTS 64: in every race one wins, and what the others are told is what won, never what they expected.

use std::sync::atomic::{AtomicU64, Ordering};

use longrun::model::{NewOperation, Patch};
use longrun::store::{Durability, PostgresStore, Store, Swap};
use longrun_checks_postgres::Server;

use crate::support::{create, first, next, patient, run, sound};

const RACES: u64 = 10_000;
const AT_ONCE: u64 = 16;

async fn two(server: &Server) -> [PostgresStore; 2] {
    let pool = server.pool(16).await;
    [patient(&pool).await, patient(&pool).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_four_swaps_wins_and_no_loser_is_told_what_it_expected() {
    let server = Server::start();
    let stores = two(&server).await;
    let lost_seen = std::sync::Arc::new(AtomicU64::new(0));
    let mut lines = tokio::task::JoinSet::new();
    for line in 0..AT_ONCE {
        let (stores, lost_seen) = (stores.clone(), std::sync::Arc::clone(&lost_seen));
        lines.spawn(async move {
            let mut current = create(&stores[0], &format!("op{line}"), NewOperation::new("export"), 0).await;
            current = {
                let running = next(&stores[0], &current, &run(), 1);
                let swap = stores[0].swap(Some(current.version()), &running, Durability::Immediate).await.unwrap();
                assert_eq!(swap, Swap::Stored);
                running
            };
            for round in 0..RACES / AT_ONCE {
                let mut racers = tokio::task::JoinSet::new();
                for racer in 0..4 {
                    let store = stores[racer % 2].clone();
                    let current = current.clone();
                    let detail = format!("{round} {racer}");
                    racers.spawn(async move {
                        let next = next(&store, &current, &Patch::new().detail(detail), 2);
                        let swap = store.swap(Some(current.version()), &next, Durability::Immediate).await.unwrap();
                        (next, swap)
                    });
                }
                let outcomes = racers.join_all().await;
                let won: Vec<_> = outcomes.iter().filter(|(_, swap)| *swap == Swap::Stored).collect();
                assert_eq!(won.len(), 1, "{outcomes:?}");
                for (_, swap) in &outcomes {
                    if let Swap::Lost(seen) = swap {
                        assert_eq!(seen.as_ref(), Some(&won[0].0), "a loser must be told what won");
                        lost_seen.fetch_add(1, Ordering::Relaxed);
                    }
                }
                current = won[0].0.clone();
            }
            assert_eq!(current.version().n(), 2 + RACES / AT_ONCE);
        });
    }
    lines.join_all().await;
    assert_eq!(lost_seen.load(Ordering::Relaxed), RACES * 3);
    sound(&stores[0], [0, AT_ONCE, 0, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_four_creates_wins_and_the_others_see_it() {
    let server = Server::start();
    let stores = two(&server).await;
    let mut lines = tokio::task::JoinSet::new();
    for line in 0..AT_ONCE {
        let stores = stores.clone();
        lines.spawn(async move {
            for round in 0..100 {
                let name = format!("op{line}-{round}");
                let mut racers = tokio::task::JoinSet::new();
                for racer in 0..4 {
                    let store = stores[racer % 2].clone();
                    let name = name.clone();
                    racers.spawn(async move {
                        let first = first(&store, &name, NewOperation::new("export"), 0);
                        let swap = store.swap(None, &first, Durability::Immediate).await.unwrap();
                        (first, swap)
                    });
                }
                let outcomes = racers.join_all().await;
                let won: Vec<_> = outcomes.iter().filter(|(_, swap)| *swap == Swap::Stored).collect();
                assert_eq!(won.len(), 1, "{outcomes:?}");
                for (_, swap) in &outcomes {
                    if let Swap::Lost(seen) = swap {
                        assert_eq!(seen.as_ref(), Some(&won[0].0), "there is a row, and it is the winner's");
                    }
                }
                // And gone again, by one of four.
                let mut racers = tokio::task::JoinSet::new();
                for racer in 0..4 {
                    let store = stores[racer % 2].clone();
                    let first = won[0].0.clone();
                    racers.spawn(async move { store.remove(first.id(), first.version()).await.unwrap() });
                }
                let outcomes = racers.join_all().await;
                assert_eq!(outcomes.iter().filter(|swap| **swap == Swap::Stored).count(), 1, "{outcomes:?}");
                assert_eq!(outcomes.iter().filter(|swap| **swap == Swap::Lost(None)).count(), 3, "{outcomes:?}");
            }
        });
    }
    lines.join_all().await;
    sound(&stores[0], [0; 4]).await;
}

/// Sixteen writers on one counter: a sum tells lost updates.
#[tokio::test(flavor = "multi_thread")]
async fn every_increment_of_a_contended_record_counts() {
    let server = Server::start();
    let stores = two(&server).await;
    let created = create(&stores[0], "op", NewOperation::new("export").patch(run()), 0).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..16_u32 {
        let store = stores[usize::try_from(writer % 2).unwrap()].clone();
        let mut current = created.clone();
        writers.spawn(async move {
            for step in 0..50 {
                loop {
                    let next = next(&store, &current, &Patch::new().detail(format!("{writer} {step}")), 1);
                    match store.swap(Some(current.version()), &next, Durability::Immediate).await.unwrap() {
                        Swap::Stored => {
                            current = next;
                            break;
                        }
                        Swap::Lost(Some(seen)) => current = seen,
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
    }
    writers.join_all().await;
    let last = stores[1].load(created.id()).await.unwrap().unwrap();
    assert_eq!(last.version().n(), 1 + 16 * 50);
    sound(&stores[0], [0, 1, 0, 0]).await;
}
