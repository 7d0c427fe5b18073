//! What was acknowledged is there again: after a close, and after a crash.

use super::trial::{Outcome, Trial, by, ensure, listed, loads, new, next, remove, replace, same, step};
use crate::model::{NewOperation, Operation, Patch, Status};
use crate::store::{Durability, Store};

/// One operation of each status.
async fn one_of_each(trial: &Trial, store: &dyn Store) -> Outcome<Vec<Operation>> {
    let mut all = Vec::new();
    for status in Status::ALL {
        all.push(trial.in_status(store, &NewOperation::new("export").label("order", "1742"), status, 1).await?);
    }
    all.sort_by(|a, b| a.id().cmp(b.id()));
    Ok(all)
}

async fn all_load(store: &dyn Store, all: &[Operation], what: &str) -> Outcome {
    for operation in all {
        loads(store, operation.id(), Some(operation), what).await?;
    }
    Ok(())
}

pub(super) async fn closed_store_keeps_all(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = one_of_each(trial, &*store).await?;
    let store = trial.reopen(store).await?;
    all_load(&*store, &all, "after close and open").await
}

pub(super) async fn closed_store_lists_all(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = one_of_each(trial, &*store).await?;
    let store = trial.reopen(store).await?;
    same(&listed(&*store, &by(3)).await?, &all, "the list after close and open")
}

pub(super) async fn closed_store_keeps_eventual(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let running = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    let further = next(&*store, &running, &Patch::new().progress(40), 2)?;
    replace(&*store, &running, &further, Durability::Eventual).await?;
    let store = trial.reopen(store).await?;
    loads(&*store, running.id(), Some(&further), "progress after close and open").await
}

pub(super) async fn removed_stays_gone(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    remove(&*store, &created).await?;
    let store = trial.reopen(store).await?;
    loads(&*store, created.id(), None, "a removed operation after close and open").await
}

pub(super) async fn create_survives_a_crash(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let store = trial.crash(store).await?;
    loads(&*store, created.id(), Some(&created), "a created operation after a crash").await
}

pub(super) async fn swap_survives_a_crash(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let ended = step(&*store, &created, Patch::new().status(Status::Running), 2).await?;
    let store = trial.crash(store).await?;
    loads(&*store, created.id(), Some(&ended), "a started operation after a crash").await
}

pub(super) async fn removal_survives_a_crash(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    remove(&*store, &created).await?;
    let store = trial.crash(store).await?;
    loads(&*store, created.id(), None, "a removed operation after a crash").await
}

pub(super) async fn crash_takes_back_no_further(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let running = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    let mut told = vec![running.clone()];
    let mut current = running;
    for percent in [10, 20, 30] {
        let further = next(&*store, &current, &Patch::new().progress(percent), i64::from(percent))?;
        replace(&*store, &current, &further, Durability::Eventual).await?;
        told.push(further.clone());
        current = further;
    }
    let store = trial.crash(store).await?;
    let found = store.load(current.id()).await?;
    ensure(found.as_ref().is_some_and(|found| told.contains(found)), || {
        format!("after a crash: found {found:?}, wanted the start or one of the writes after it")
    })
}

pub(super) async fn crash_keeps_what_an_immediate_write_covers(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let running = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    let further = next(&*store, &running, &Patch::new().progress(40), 2)?;
    replace(&*store, &running, &further, Durability::Eventual).await?;
    let ended = step(&*store, &further, Patch::new().status(Status::Failed), 3).await?;
    let store = trial.crash(store).await?;
    loads(&*store, running.id(), Some(&ended), "an end on top of progress, after a crash").await
}

pub(super) async fn crashed_store_is_whole(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = one_of_each(trial, &*store).await?;
    let store = trial.crash(store).await?;
    let report = store.verify().await?;
    same(&report.problems, &Vec::new(), "problems after a crash")?;
    // It goes on.
    for operation in all.iter().filter(|operation| operation.status() == Status::Running) {
        step(&*store, operation, Patch::new().status(Status::Completed), 9).await?;
    }
    Ok(())
}

pub(super) async fn store_has_one_name(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let name = store.opened().store;
    ensure(name != 0, || "a store's number is 0, which the feed's start has".into())?;
    let store = trial.reopen(store).await?;
    same(&store.opened().store, &name, "the store's number after close and open")
}

pub(super) async fn instance_is_new_at_each_open(trial: &Trial) -> Outcome {
    let mut store = trial.open().await?;
    let mut seen = vec![store.opened().instance];
    for _ in 0..3 {
        store = trial.reopen(store).await?;
        let instance = store.opened().instance;
        ensure(!seen.contains(&instance), || format!("instance {instance} opened twice; {seen:?} before"))?;
        seen.push(instance);
    }
    Ok(())
}

pub(super) async fn instance_is_new_after_a_crash(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let instance = store.opened().instance;
    // Nothing was written: the instance alone must be durable.
    let store = trial.crash(store).await?;
    ensure(store.opened().instance != instance, || format!("instance {instance} opened twice"))
}
