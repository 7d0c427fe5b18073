//! Of the operations that hold one unique key at most one is ever created.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::trial::{Outcome, Stop, Trial, ensure, loads, new, remove, same, step};
use super::visibility::{polled, spawn_swap};
use crate::model::{NewOperation, Operation, Patch, Status};
use crate::store::{Durability, Store, Swap};

fn keyed(id: &str, key: &str) -> Outcome<NewOperation> {
    Ok(new(id)?.unique(key))
}

/// A create that must find its key held.
async fn taken(trial: &Trial, store: &dyn Store, new: &NewOperation, holder: &Operation, what: &str) -> Outcome {
    let draft = trial.draft(store, new, 9)?;
    let swap = store.swap(None, &draft, Durability::Immediate).await?;
    same(&swap, &Swap::Taken(holder.clone()), what)?;
    loads(store, draft.id(), None, what).await
}

pub(super) async fn held_key_is_taken(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    for key in ["k", "clé", &"x".repeat(NewOperation::MAX_UNIQUE_KEY), "K", "k "] {
        let number = trial.create(&*store, &NewOperation::new("import").unique(key), 1).await?;
        taken(trial, &*store, &keyed("late", key)?, &number, "a create whose key is held by one not started")
            .await?;
        let running = step(&*store, &number, Patch::new().status(Status::Running), 2).await?;
        taken(trial, &*store, &keyed("late", key)?, &running, "a create whose key is held by a running one")
            .await?;
    }
    trial.named(&*store, "late", 3).await.map(drop)
}

pub(super) async fn ended_holder_frees_its_key(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    trial.in_status(&*store, &keyed("a", "k")?, Status::Completed, 1).await?;
    trial.in_status(&*store, &keyed("b", "k")?, Status::Failed, 2).await?;
    let third = trial.create(&*store, &keyed("c", "k")?, 3).await?;
    taken(trial, &*store, &keyed("d", "k")?, &third, "a create beside the third holder").await
}

pub(super) async fn removed_holder_frees_its_key(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let holder = trial.create(&*store, &keyed("a", "k")?, 1).await?;
    remove(&*store, &holder).await?;
    trial.create(&*store, &keyed("b", "k")?, 2).await.map(drop)
}

pub(super) async fn own_id_comes_before_the_key(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let holder = trial.create(&*store, &keyed("a", "k")?, 1).await?;
    let again = trial.draft(&*store, &keyed("a", "k")?, 2)?;
    let swap = store.swap(None, &again, Durability::Immediate).await?;
    ensure(!matches!(swap, Swap::Taken(_)), || format!("a create of {} again is answered {swap:?}", holder.id()))
}

/// Creators that come at once.
const CREATORS: i64 = 8;

pub(super) async fn one_creator_takes_the_key(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    for round in 0..5 {
        let barrier = Arc::new(Barrier::new(usize::try_from(CREATORS)?));
        let mut creators = JoinSet::new();
        for creator in 0..CREATORS {
            let draft =
                trial.draft(&*store, &keyed(&format!("{round}-{creator}"), &format!("k{round}"))?, creator)?;
            let (store, barrier) = (Arc::clone(&store), Arc::clone(&barrier));
            creators.spawn(async move {
                barrier.wait().await;
                let swap = store.swap(None, &draft, Durability::Immediate).await;
                (draft, swap)
            });
        }
        let (mut stored, mut others) = (Vec::new(), Vec::new());
        while let Some(creator) = creators.join_next().await {
            match creator? {
                (draft, Ok(Swap::Stored)) => stored.push(draft),
                (draft, Ok(Swap::Taken(holder))) => others.push((draft, holder)),
                (draft, other) => return Err(Stop::Broken(format!("{} is answered {other:?}", draft.id()))),
            }
        }
        same(&stored.len(), &1, "creates of one key that were stored")?;
        for (draft, holder) in &others {
            same(&Some(holder), &stored.first(), "who took the key")?;
            loads(&*store, draft.id(), None, "a create that came too late").await?;
        }
    }
    Ok(())
}

pub(super) async fn key_outlives_its_store(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let holder = trial.create(&*store, &keyed("a", "k")?, 1).await?;
    trial.in_status(&*store, &keyed("b", "free")?, Status::Completed, 1).await?;
    let store = trial.reopen(store).await?;
    taken(trial, &*store, &keyed("c", "k")?, &holder, "a create after close and open").await?;
    trial.create(&*store, &keyed("d", "free")?, 2).await.map(drop)
}

pub(super) async fn taken_waits_for_durability(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let (first, second) =
        (trial.draft(&*store, &keyed("a", "k")?, 1)?, trial.draft(&*store, &keyed("b", "k")?, 2)?);
    let hold = trial.hold()?;
    let create = spawn_swap(&store, None, &first, Durability::Immediate);
    hold.reached().await;
    let mut late = store.swap(None, &second, Durability::Immediate);
    match polled(late.as_mut()).await? {
        None => {}
        Some(Swap::Taken(holder)) => {
            return Err(Stop::Broken(format!("a key is taken by {}, which is not durable", holder.id())));
        }
        // Acknowledged before its time: what that breaks is promised elsewhere.
        Some(_) => return Ok(()),
    }
    drop(hold);
    same(&create.await??, &Swap::Stored, "the create that was held back")?;
    same(&late.await?, &Swap::Taken(first), "the create that waited for it")
}
