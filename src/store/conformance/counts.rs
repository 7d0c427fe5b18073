//! Counts by type and status are exact.

use super::trial::{Outcome, Trial, by, listed, new, next, remove, same, step};
use crate::model::{NewOperation, Operation, Patch, Status};
use crate::store::{Counts, Durability, Store};

fn counted(all: &[Operation]) -> Counts {
    let mut counts = Counts::default();
    for operation in all {
        counts.add(operation.type_name(), operation.status(), 1);
    }
    counts
}

/// Counts must be what a walk through the list counts.
async fn equal_a_recount(store: &dyn Store, what: &str) -> Outcome {
    let all = listed(store, &by(1_000)).await?;
    same(&store.counts().await?, &counted(&all), what)
}

/// Makes, moves and removes operations of several types.
async fn churn(trial: &Trial, store: &dyn Store) -> Outcome {
    for number in 0..40_i64 {
        let type_name = ["export", "import", "Export"].into_iter().cycle().nth(usize::try_from(number)?);
        let new = type_name.filter(|_| number % 7 != 0).map_or_else(NewOperation::untyped, NewOperation::new);
        let status = Status::ALL.into_iter().cycle().nth(usize::try_from(number / 3)?);
        let operation = trial.in_status(store, &new, status.unwrap_or(Status::Running), number).await?;
        if number % 5 == 0 {
            remove(store, &operation).await?;
        }
    }
    Ok(())
}

pub(super) async fn nothing_counts_nothing(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    same(&store.counts().await?, &Counts::default(), "the counts of an empty store")
}

pub(super) async fn every_write_counts(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    churn(trial, &*store).await?;
    equal_a_recount(&*store, "counts after creates, moves and removals").await
}

pub(super) async fn move_leaves_where_it_was(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let running = step(&*store, &created, Patch::new().status(Status::Running), 2).await?;
    same(&store.counts().await?, &counted(&[running]), "the counts after a move")
}

pub(super) async fn removal_leaves_nothing(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let kept = trial.create(&*store, &NewOperation::new("import"), 1).await?;
    let gone = trial.named(&*store, "a", 1).await?;
    remove(&*store, &gone).await?;
    same(&store.counts().await?, &counted(&[kept]), "the counts after a removal")
}

pub(super) async fn lost_race_does_not_count(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let running = step(&*store, &created, Patch::new().status(Status::Running), 2).await?;
    let late = next(&*store, &created, &Patch::cancel(), 3)?;
    store.swap(Some(created.version()), &late, Durability::Immediate).await?;
    store.swap(None, &trial.draft(&*store, &new("a")?, 4)?, Durability::Immediate).await?;
    store.remove(created.id(), created.version()).await?;
    same(&store.counts().await?, &counted(&[running]), "the counts after lost races")
}

pub(super) async fn same_after_open(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    churn(trial, &*store).await?;
    let before = counted(&listed(&*store, &by(1_000)).await?);
    let store = trial.reopen(store).await?;
    same(&store.counts().await?, &before, "the counts after close and open")
}

pub(super) async fn exact_after_a_crash(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    churn(trial, &*store).await?;
    let running = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    let further = next(&*store, &running, &Patch::new().progress(40), 2)?;
    store.swap(Some(running.version()), &further, Durability::Eventual).await?;
    let store = trial.crash(store).await?;
    equal_a_recount(&*store, "counts after a crash").await
}

/// Makes, moves and removes operations of groups; answers those of one that are left.
async fn grouped(trial: &Trial, store: &dyn Store, wanted: &str) -> Outcome<Vec<Operation>> {
    let mut left = Vec::new();
    for number in 0..24_i64 {
        let name = ["page", "chapter"].into_iter().cycle().nth(usize::try_from(number)?).unwrap_or("page");
        let group = ["book", "Book", "book 2"].into_iter().cycle().nth(usize::try_from(number)?);
        let new = group.map_or_else(NewOperation::untyped, |group| NewOperation::new(name).group(group));
        let status = Status::ALL.into_iter().cycle().nth(usize::try_from(number / 2)?);
        let operation = trial.in_status(store, &new, status.unwrap_or(Status::Running), number).await?;
        if number % 5 == 0 {
            remove(store, &operation).await?;
        } else if operation.group() == Some(wanted) {
            left.push(operation);
        }
    }
    Ok(left)
}

pub(super) async fn group_is_counted(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let left = grouped(trial, &*store, "book").await?;
    same(&store.group_counts("book").await?, &counted(&left), "the counts of a group")?;
    same(&store.group_counts("none").await?, &Counts::default(), "the counts of a group without operations")?;
    trial.named(&*store, "single", 30).await?;
    for operation in &left {
        remove(&*store, operation).await?;
    }
    same(&store.group_counts("book").await?, &Counts::default(), "the counts of a group that is gone")
}

pub(super) async fn group_counts_same_after_open(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let left = grouped(trial, &*store, "Book").await?;
    let store = trial.reopen(store).await?;
    same(&store.group_counts("Book").await?, &counted(&left), "the counts of a group after close and open")
}
