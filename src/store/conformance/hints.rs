//! Hints may be lost, doubled or late; they never run ahead of the record and hold nobody up.

use std::future::poll_fn;
use std::task::Poll;

use super::trial::{Outcome, Stop, Trial, ensure, loads, new, next, replace, same, step};
use crate::model::{OperationId, Patch, Status};
use crate::store::{Durability, HintStream, Swap};

/// The next hint; `None` after the end.
async fn hint(hints: &mut HintStream) -> Option<Option<OperationId>> {
    poll_fn(|context| hints.as_mut().poll_next(context)).await
}

/// A hint that has come.
async fn come(hints: &mut HintStream) -> Option<Option<OperationId>> {
    poll_fn(|context| {
        Poll::Ready(match hints.as_mut().poll_next(context) {
            Poll::Ready(hint) => hint,
            Poll::Pending => None,
        })
    })
    .await
}

pub(super) async fn changes_are_hinted_at(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut hints = store.hints();
    let mut ids = Vec::new();
    for tick in 0..100 {
        ids.push(Some(trial.named(&*store, &format!("a{tick}"), tick).await?.id().clone()));
        while let Some(hint) = come(&mut hints).await {
            if hint.is_none() || ids.contains(&hint) {
                return Ok(());
            }
        }
        tokio::task::yield_now().await;
    }
    Err(Stop::Broken("none of 100 changes was hinted at".into()))
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
    for tick in 0..20 {
        let draft = trial.draft(&*store, &new(&format!("a{tick}"))?, tick)?;
        let mut create = store.swap(None, &draft, Durability::Immediate);
        loop {
            // Whatever is hinted at while the create is under way must be there to be read.
            while let Some(hint) = come(&mut hints).await {
                let Some(id) = hint else { continue };
                ensure(store.load(&id).await?.is_some(), || format!("{id} was hinted at before it was there"))?;
            }
            let create = poll_fn(|context| Poll::Ready(create.as_mut().poll(context)));
            if let Poll::Ready(swap) = create.await {
                same(&swap?, &Swap::Stored, "a create")?;
                break;
            }
            tokio::task::yield_now().await;
        }
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
