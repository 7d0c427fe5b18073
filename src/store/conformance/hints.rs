//! Hints may be lost, doubled or late; they never run ahead of the record and hold nobody up.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::trial::{Outcome, Trial, ensure, loads, new, next, replace, same, step};
use crate::model::{OperationId, Patch, Status};
use crate::store::{Durability, HintStream};

/// The next hint; `None` after the end.
async fn hint(hints: &mut HintStream) -> Option<Option<OperationId>> {
    poll_fn(|context| hints.as_mut().poll_next(context)).await
}

pub(super) async fn changes_are_hinted_at(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut hints = store.hints();
    let mut ids = Vec::new();
    for tick in 0..20 {
        ids.push(Some(trial.named(&*store, &format!("a{tick}"), tick).await?.id().clone()));
    }
    store.close().await?;
    let mut told = Vec::new();
    while let Some(hint) = hint(&mut hints).await {
        told.push(hint);
    }
    let known = |hint: &Option<OperationId>| hint.is_none() || ids.contains(hint);
    ensure(told.iter().any(known), || "none of 20 changes was hinted at".into())
}

pub(super) async fn end_when_the_store_is_closed(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut hints = store.hints();
    trial.named(&*store, "a", 1).await?;
    store.close().await?;
    // A stream that does not end is stopped by the watchdog.
    while hint(&mut hints).await.is_some() {}
    Ok(())
}

pub(super) async fn record_is_not_behind(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut hints = store.hints();
    let mut readers: JoinSet<Outcome> = JoinSet::new();
    {
        let store = Arc::clone(&store);
        readers.spawn(async move {
            while let Some(hint) = hint(&mut hints).await {
                let Some(id) = hint else { continue };
                match store.load(&id).await {
                    Ok(None) => ensure(false, || format!("{id} was hinted at before it was there"))?,
                    // Late: the store is being closed.
                    Ok(Some(_)) | Err(_) => {}
                }
            }
            Ok(())
        });
    }
    for tick in 0..20 {
        trial.named(&*store, &format!("a{tick}"), tick).await?;
        tokio::task::yield_now().await;
    }
    store.close().await?;
    while let Some(reader) = readers.join_next().await {
        reader??;
    }
    Ok(())
}

/// Hints that nobody reads: more than a bounded channel holds.
const UNREAD: i64 = 300;

pub(super) async fn unread_stream_holds_nobody_up(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let unread = store.hints();
    let mut current = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    for tick in 0..UNREAD {
        let further = next(&*store, &current, &Patch::heartbeat(), tick)?;
        replace(&*store, &current, &further, Durability::Eventual).await?;
        current = further;
    }
    let ended = step(&*store, &current, Patch::new().status(Status::Completed), UNREAD).await?;
    loads(&*store, ended.id(), Some(&ended), "after 300 hints that nobody read").await?;
    drop(unread);
    same(&store.verify().await?.problems, &Vec::new(), "problems")
}
