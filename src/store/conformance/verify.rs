//! `verify` reads everything anew and reports every difference.

use std::num::NonZeroU32;

use super::trial::{Outcome, Stop, Trial, ensure, new, remove, same, step};
use crate::model::{NewOperation, Patch, Query, Status};
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

pub(super) async fn damage_hides_nothing_else(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut all = Vec::new();
    for (tick, name) in (1..).zip(["a", "hurt", "z"]) {
        // What has ended is kept in memory least of all.
        all.push(trial.in_status(&*store, &new(name)?, Status::Completed, tick).await?);
    }
    let [_, hurt, _] = &all[..] else { return Err(Stop::Broken("the suite's own list".into())) };
    trial.spoil(hurt.id()).await?;
    let page = store.page(&Query::default()).await?;
    // From memory.
    if page.unreadable.is_empty() && page.items == all {
        return Ok(());
    }
    same(&page.unreadable, &vec![hurt.id().clone()], "records that the page calls unreadable")?;
    let ids: Vec<_> = page.items.iter().map(|operation| operation.id().to_string()).collect();
    same(&ids, &vec!["a".to_owned(), "z".into()], "operations on a page with a spoilt one")?;
    // Page by page too, the spoilt one in its place.
    let (mut seen, mut query) = (0_u64, Query { limit: NonZeroU32::MIN, ..Query::default() });
    loop {
        let page = store.page(&query).await?;
        seen = seen
            .saturating_add(u64::try_from(page.items.len())?)
            .saturating_add(u64::try_from(page.unreadable.len())?);
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    same(&seen, &3, "operations on pages of one")
}

pub(super) async fn damage_is_never_shown(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
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
