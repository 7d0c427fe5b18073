//! The feed from the start is the snapshot and all that follows: nothing missed, nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::trial::{
    Outcome, Stop, Trial, by, count, ensure, feed, fold, listed, new, next, remove, replace, same, step,
};
use crate::model::{NewOperation, Operation, OperationId, Patch, Status};
use crate::store::{Change, Durability, Position, Store, StoreError};

fn updated(operation: &Operation) -> Change {
    Change::Updated(operation.clone())
}

fn deleted(operation: &Operation) -> Change {
    Change::Deleted { id: operation.id().clone(), version: operation.version() }
}

async fn several(trial: &Trial, store: &dyn Store, count: i64) -> Outcome<Vec<Operation>> {
    let mut all = Vec::new();
    for tick in 0..count {
        all.push(trial.create(store, &NewOperation::new("export"), tick).await?);
    }
    Ok(all)
}

pub(super) async fn start_is_the_snapshot(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    same(&feed(&*store, Position::START, 10).await?.0, &Vec::new(), "the feed of an empty store")?;
    let wanted: Vec<_> = several(trial, &*store, 5).await?.iter().map(updated).collect();
    same(&feed(&*store, Position::START, 10).await?.0, &wanted, "the feed after five creates")
}

pub(super) async fn each_once_in_its_newest_version(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = several(trial, &*store, 3).await?;
    let [first, second, third] = &*all else { return Err(Stop::Broken("three are made".into())) };
    let running = step(&*store, first, Patch::new().status(Status::Running), 4).await?;
    let ended = step(&*store, &running, Patch::new().status(Status::Completed), 5).await?;
    let wanted = vec![updated(second), updated(third), updated(&ended)];
    same(&feed(&*store, Position::START, 10).await?.0, &wanted, "the feed after one of three was changed twice")
}

pub(super) async fn eventual_comes_once(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let running = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    let further = next(&*store, &running, &Patch::new().progress(40), 2)?;
    replace(&*store, &running, &further, Durability::Eventual).await?;
    let (mut changes, position) = feed(&*store, Position::START, 10).await?;
    // A later Immediate write's group carries all before it.
    let later = trial.named(&*store, "b", 3).await?;
    changes.extend(feed(&*store, position, 10).await?.0);
    // Before it is durable the feed may tell of it or not.
    let is_progress = changes.first() == Some(&updated(&running));
    let wanted: Vec<_> =
        is_progress.then_some(&running).into_iter().chain([&further, &later]).map(updated).collect();
    same(&changes, &wanted, "the feed, read before and after progress was durable")
}

pub(super) async fn goes_on_from_where_it_ended(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = several(trial, &*store, 4).await?;
    let (_, position) = feed(&*store, Position::START, 10).await?;
    let (nothing, position) = feed(&*store, position, 10).await?;
    same(&nothing, &Vec::new(), "the feed at its end")?;
    let mut wanted = Vec::new();
    for operation in all.iter().skip(2) {
        wanted.push(updated(&step(&*store, operation, Patch::new().status(Status::Running), 9).await?));
    }
    same(&feed(&*store, position, 10).await?.0, &wanted, "the feed since then")
}

pub(super) async fn short_stretches_lose_nothing(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let wanted: Vec<_> = several(trial, &*store, 7).await?.iter().map(updated).collect();
    for limit in [1, 2, 3, 7] {
        same(&feed(&*store, Position::START, limit).await?.0, &wanted, &format!("stretches of {limit}"))?;
    }
    let stretch = store.changes(&Position::START, count(3)).await?;
    ensure(!stretch.at_end, || "3 of 7 changes are said to be all".into())
}

pub(super) async fn deletion_is_told(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let (_, position) = feed(&*store, Position::START, 10).await?;
    remove(&*store, &created).await?;
    same(&feed(&*store, position, 10).await?.0, &vec![deleted(&created)], "the feed after a removal")
}

pub(super) async fn deletion_is_told_after_open(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let (_, position) = feed(&*store, Position::START, 10).await?;
    remove(&*store, &created).await?;
    let store = trial.reopen(store).await?;
    same(&feed(&*store, position, 10).await?.0, &vec![deleted(&created)], "a removal before the open")
}

pub(super) async fn created_again_shows_another_birth(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let first = trial.named(&*store, "a", 1).await?;
    let (_, position) = feed(&*store, Position::START, 10).await?;
    remove(&*store, &first).await?;
    let second = trial.named(&*store, "a", 2).await?;
    let (changes, _) = feed(&*store, position, 10).await?;
    let last = changes.last();
    same(&last, &Some(&updated(&second)), "the feed's last word on an id of two lives")
}

pub(super) async fn position_outlives_its_store(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    several(trial, &*store, 3).await?;
    let (_, position) = feed(&*store, Position::START, 2).await?;
    let store = trial.reopen(store).await?;
    same(&feed(&*store, position, 2).await?.0, &Vec::new(), "the feed after an open without changes")?;
    let later = trial.named(&*store, "a", 9).await?;
    same(&feed(&*store, position, 2).await?.0, &vec![updated(&later)], "the feed after an open and a create")
}

pub(super) async fn position_outlives_a_crash(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let running = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    let further = next(&*store, &running, &Patch::new().progress(40), 2)?;
    replace(&*store, &running, &further, Durability::Eventual).await?;
    let mut known = BTreeMap::new();
    let (changes, position) = feed(&*store, Position::START, 10).await?;
    fold(&mut known, &changes);
    let store = trial.crash(store).await?;
    let found = store.load(running.id()).await?;
    let later = trial.named(&*store, "b", 3).await?;
    // What was taken back may be written again and must be told again: no reader may be ahead of it.
    let ended = match found {
        Some(found) => step(&*store, &found, Patch::new().status(Status::Failed), 4).await?,
        None => return Err(Stop::Broken("a started operation is gone after a crash".into())),
    };
    fold(&mut known, &feed(&*store, position, 10).await?.0);
    let wanted = BTreeMap::from([&ended, &later].map(|operation| (operation.id().clone(), operation.clone())));
    same(&known, &wanted, "what a reader knows who read before the crash and after")
}

pub(super) async fn foreign_position_expires(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    several(trial, &*store, 3).await?;
    let foreign = Position::new(store.opened().store.wrapping_add(1).max(1), 1, 1);
    match store.changes(&foreign, count(10)).await {
        Err(StoreError::PositionExpired) => Ok(()),
        other => Err(Stop::Broken(format!("another store's position is answered with {other:?}"))),
    }
}

/// Writers beside a reader.
const WRITERS: i64 = 4;
const WRITES: i64 = 25;

pub(super) async fn reader_beside_writers_misses_nothing(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let first = trial.draft(&*store, &NewOperation::new("export"), writer)?;
        let again = trial.draft(&*store, &new(&first.id().to_string())?, writer)?;
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for (life, operation) in [first, again].into_iter().enumerate() {
                store.swap(None, &operation, Durability::Immediate).await?;
                let mut current = operation;
                for tick in 0..WRITES {
                    let next = next(&*store, &current, &Patch::heartbeat(), tick)?;
                    let durability = if tick % 3 == 0 { Durability::Immediate } else { Durability::Eventual };
                    replace(&*store, &current, &next, durability).await?;
                    current = next;
                }
                if life == 0 || writer % 2 == 0 {
                    remove(&*store, &current).await?;
                }
            }
            Outcome::Ok(())
        });
    }
    let reader = {
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        let mut readers: JoinSet<Outcome<BTreeMap<OperationId, Operation>>> = JoinSet::new();
        readers.spawn(async move {
            let (mut known, mut position) = (BTreeMap::new(), Position::START);
            loop {
                let last = done.load(Ordering::Acquire);
                let stretch = store.changes(&position, count(2)).await?;
                fold(&mut known, &stretch.items);
                position = stretch.next;
                if last && stretch.at_end {
                    return Ok(known);
                }
                tokio::task::yield_now().await;
            }
        });
        readers
    };
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    // Of writes that are not durable yet the feed may tell later: an Immediate write carries all before it.
    trial.create(&*store, &NewOperation::new("last"), 99).await?;
    done.store(true, Ordering::Release);
    let known = reader.join_all().await.pop().unwrap_or_else(|| Ok(BTreeMap::new()))?;
    let all = listed(&*store, &by(1_000)).await?;
    let wanted: BTreeMap<_, _> = all.into_iter().map(|operation| (operation.id().clone(), operation)).collect();
    same(&known, &wanted, "what a reader knows who read beside the writers")
}
