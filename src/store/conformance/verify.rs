//! `verify` reads everything anew and reports every difference.

use super::trial::{Outcome, Stop, Trial, ensure, new, remove, same, step};
use crate::model::{NewOperation, Patch, Status};
use crate::store::{Store, StoreError};

async fn some(trial: &Trial, store: &dyn Store) -> Outcome<u64> {
    let mut kept = 0_u64;
    for (tick, status) in (0..12).zip(Status::ALL.into_iter().cycle()) {
        let operation = trial.in_status(store, &NewOperation::new("export").label("a", "b"), status, tick).await?;
        if tick % 4 == 1 {
            remove(store, &operation).await?;
        } else {
            kept = kept.saturating_add(1);
        }
    }
    Ok(kept)
}

pub(super) async fn healthy_store_has_no_problems(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    some(trial, &*store).await?;
    same(&store.verify().await?.problems, &Vec::new(), "problems of a healthy store")?;
    let store = trial.reopen(store).await?;
    same(&store.verify().await?.problems, &Vec::new(), "problems after close and open")
}

pub(super) async fn every_record_is_read(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let kept = some(trial, &*store).await?;
    let read = store.verify().await?.records;
    // What is left of removed ones may be read too.
    ensure((kept..=12).contains(&read), || format!("{read} records read, of {kept} operations and 12 that were"))
}

pub(super) async fn damage_is_named(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    some(trial, &*store).await?;
    let hurt = trial.named(&*store, "hurt", 1).await?;
    trial.spoil(hurt.id()).await?;
    let problems = store.verify().await?.problems;
    ensure(problems.iter().any(|problem| problem.contains("hurt")), || {
        format!("none of these problems names the spoilt record: {problems:?}")
    })
}

pub(super) async fn damage_is_never_shown(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    // What has ended is kept in memory least of all.
    let hurt = trial.in_status(&*store, &new("hurt")?, Status::Completed, 1).await?;
    let whole = trial.named(&*store, "whole", 1).await?;
    trial.spoil(hurt.id()).await?;
    match store.load(hurt.id()).await {
        // From memory.
        Ok(Some(found)) if found == hurt => {}
        Err(StoreError::Corrupt(what)) => ensure(what.contains("hurt"), || format!("{what} names no record"))?,
        other => return Err(Stop::Broken(format!("a spoilt record is loaded as {other:?}"))),
    }
    step(&*store, &whole, Patch::new().status(Status::Running), 2).await.map(drop)
}
