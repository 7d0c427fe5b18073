//! Close drains, ends everything, and gives the place back.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::trial::{Outcome, Stop, Trial, by, count, ensure, loads, new, next, same, step};
use crate::model::{NewOperation, Patch, Status};
use crate::store::{Durability, Idle, Position, StoreError, Swap};

fn closed<T: std::fmt::Debug>(answer: Result<T, StoreError>, call: &str) -> Outcome {
    match answer {
        Err(StoreError::Closed) => Ok(()),
        other => Err(Stop::Broken(format!("{call} of a closed store is answered with {other:?}"))),
    }
}

pub(super) async fn closed_store_refuses_reads(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    store.close().await?;
    closed(store.load(created.id()).await, "load")?;
    closed(store.page(&by(10)).await, "page")?;
    closed(store.counts().await, "counts")?;
    closed(store.idle(&Idle::Orphaned, None, count(10)).await, "idle")?;
    closed(store.changes(&Position::START, count(10)).await, "changes")?;
    closed(store.verify().await, "verify")
}

pub(super) async fn closed_store_refuses_writes(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let running = next(&*store, &created, &Patch::new().status(Status::Running), 2)?;
    let other = trial.draft(&*store, &new("b")?, 1)?;
    store.close().await?;
    for durability in [Durability::Immediate, Durability::Eventual] {
        closed(store.swap(Some(created.version()), &running, durability).await, "swap")?;
        closed(store.swap(None, &other, durability).await, "create")?;
    }
    closed(store.remove(created.id(), created.version()).await, "remove")
}

pub(super) async fn second_close_is_the_first(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    trial.named(&*store, "a", 1).await?;
    let (one, other) = (Arc::clone(&store), Arc::clone(&store));
    let mut closes = tokio::task::JoinSet::new();
    closes.spawn(async move { one.close().await });
    closes.spawn(async move { other.close().await });
    while let Some(close) = closes.join_next().await {
        close??;
    }
    store.close().await?;
    Ok(())
}

pub(super) async fn dropped_close_can_be_finished(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    {
        let mut close = store.close();
        poll_fn(|context| Poll::Ready(close.as_mut().poll(context).is_ready())).await;
    }
    store.close().await?;
    drop(store);
    loads(&*trial.open().await?, created.id(), Some(&created), "after a close that was dropped and finished").await
}

pub(super) async fn place_is_free_at_once(trial: &Trial) -> Outcome {
    let mut store = trial.open().await?;
    for tick in 0..5 {
        trial.create(&*store, &NewOperation::new("export"), tick).await?;
        store.close().await?;
        // The closed store is still there.
        let next = trial.open().await?;
        drop(store);
        store = next;
    }
    Ok(())
}

pub(super) async fn place_is_locked_while_it_is_open(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    if !store.opened().exclusive {
        return Err(Stop::Skipped("several may have this store open"));
    }
    match trial.place().open().await {
        Err(StoreError::Locked(_)) => {}
        other => return Err(Stop::Broken(format!("a second open is answered with {other:?}"))),
    }
    trial.named(&*store, "a", 1).await.map(drop)
}

pub(super) async fn what_was_submitted_is_drained(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut drafts = Vec::new();
    for tick in 0..20 {
        drafts.push(trial.draft(&*store, &NewOperation::new("export"), tick)?);
    }
    let mut swaps: Vec<_> =
        drafts.iter().map(|draft| Some(store.swap(None, draft, Durability::Immediate))).collect();
    let mut answers: Vec<_> = drafts.iter().map(|_| None).collect();
    let (mut close, mut is_closed) = (None, false);
    poll_fn(|context| {
        for (swap, answer) in swaps.iter_mut().zip(&mut answers) {
            if let Some(Poll::Ready(ready)) = swap.as_mut().map(|swap| swap.as_mut().poll(context)) {
                (*swap, *answer) = (None, Some(ready));
            }
        }
        // Begun after all swaps.
        is_closed = is_closed || close.get_or_insert_with(|| store.close()).as_mut().poll(context).is_ready();
        if is_closed && answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    drop((swaps, close));
    drop(store);
    let store = trial.open().await?;
    for (draft, answer) in drafts.iter().zip(answers) {
        let found = store.load(draft.id()).await?;
        match answer {
            Some(Ok(Swap::Stored)) => same(&found.as_ref(), &Some(draft), "stored while the store was closed")?,
            Some(Err(StoreError::Closed | StoreError::Unavailable { definite: true, .. })) => {
                same(&found, &None, "refused while the store was closed")?;
            }
            Some(Err(StoreError::Unavailable { .. })) => {}
            other => return Err(Stop::Broken(format!("while the store was closed: {other:?}"))),
        }
    }
    Ok(())
}

pub(super) async fn dropped_store_keeps_what_it_acknowledged(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let running = step(&*store, &created, Patch::new().status(Status::Running), 2).await?;
    ensure(Arc::strong_count(&store) == 1, || "the place keeps the store alive".into())?;
    drop(store);
    loads(&*trial.open().await?, running.id(), Some(&running), "after a drop without a close").await
}
