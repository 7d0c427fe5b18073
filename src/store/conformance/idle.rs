//! What somebody else should end: what nobody seems to work on, by the store's own clock, never by times that
//! clients set; what is past its deadline.

use std::time::Duration;

use super::trial::{Outcome, Stop, Trial, at, count, new, next, replace, same, step};
use crate::model::{NewOperation, Operation, OperationId, Patch, Status, holder};
use crate::store::{Durability, Idle, Store};

const MINUTE: Duration = Duration::from_mins(1);
/// Longer than any store waits before it takes a silent instance for dead.
const LONG: Duration = Duration::from_mins(10);

fn quiet(type_name: Option<&str>) -> Idle {
    Idle::Quiet { type_name: type_name.map(Into::into), longer_than: MINUTE }
}

async fn found(store: &dyn Store, which: &Idle) -> Outcome<Vec<OperationId>> {
    Ok(store.idle(which, None, count(100)).await?)
}

async fn running(trial: &Trial, store: &dyn Store, id: &str) -> Outcome<Operation> {
    trial.in_status(store, &new(id)?, Status::Running, 1).await
}

fn ids(operations: &[&Operation]) -> Vec<OperationId> {
    operations.iter().map(|operation| operation.id().clone()).collect()
}

pub(super) async fn quiet_is_found(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let silent = running(trial, &*store, "a").await?;
    trial.pass(MINUTE.saturating_mul(2)).await?;
    same(&found(&*store, &quiet(Some("export"))).await?, &ids(&[&silent]), "quiet for two minutes")
}

pub(super) async fn fresh_is_not_quiet(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    running(trial, &*store, "a").await?;
    same(&found(&*store, &quiet(Some("export"))).await?, &Vec::new(), "started just now")?;
    trial.pass(MINUTE / 2).await?;
    same(&found(&*store, &quiet(Some("export"))).await?, &Vec::new(), "quiet for half a minute")
}

pub(super) async fn every_write_is_a_sign_of_life(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let silent = running(trial, &*store, "a").await?;
    let told = running(trial, &*store, "b").await?;
    let beating = running(trial, &*store, "c").await?;
    trial.pass(MINUTE / 2).await?;
    step(&*store, &beating, Patch::heartbeat(), 2).await?;
    let further = next(&*store, &told, &Patch::new().progress(40), 2)?;
    replace(&*store, &told, &further, Durability::Eventual).await?;
    trial.pass(MINUTE.mul_f64(0.75)).await?;
    same(&found(&*store, &quiet(Some("export"))).await?, &ids(&[&silent]), "those who said nothing")
}

pub(super) async fn times_of_clients_do_not_count(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    // By their last actions one is a year old and one of next century.
    let year = 365 * 24 * 3_600 * 10_000_000_i64;
    let old = trial.in_status(&*store, &new("a")?, Status::Running, -year).await?;
    let young = trial.in_status(&*store, &new("b")?, Status::Running, year.saturating_mul(100)).await?;
    same(&found(&*store, &quiet(Some("export"))).await?, &Vec::new(), "both written just now")?;
    trial.pass(MINUTE.saturating_mul(2)).await?;
    same(&found(&*store, &quiet(Some("export"))).await?, &ids(&[&old, &young]), "both quiet for two minutes")
}

pub(super) async fn quiet_is_of_its_type(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let typed = running(trial, &*store, "a").await?;
    let new = |id: &str, new: NewOperation| Outcome::Ok(new.id(id.parse::<OperationId>()?));
    let untyped = new("b", NewOperation::untyped())?;
    let untyped = trial.in_status(&*store, &untyped, Status::Running, 1).await?;
    let other = new("c", NewOperation::new("Export"))?;
    let other = trial.in_status(&*store, &other, Status::Running, 1).await?;
    trial.pass(MINUTE.saturating_mul(2)).await?;
    same(&found(&*store, &quiet(Some("export"))).await?, &ids(&[&typed]), "of type export")?;
    same(&found(&*store, &quiet(Some("Export"))).await?, &ids(&[&other]), "of type Export")?;
    same(&found(&*store, &quiet(None)).await?, &ids(&[&untyped]), "of no type")?;
    same(&found(&*store, &quiet(Some("import"))).await?, &Vec::new(), "of a type that has none")
}

pub(super) async fn only_what_runs_is_quiet(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    for status in Status::ALL {
        trial.in_status(&*store, &new(status.as_str())?, status, 1).await?;
    }
    trial.pass(MINUTE.saturating_mul(2)).await?;
    same(&found(&*store, &quiet(Some("export"))).await?, &vec!["Running".parse()?], "one of each status")
}

pub(super) async fn cursor_goes_on(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut wanted = Vec::new();
    for id in ["b", "~", "B", "a~2", "a", "-", "_", "10", "9"] {
        wanted.push(bound(trial, &*store, id, 40, Status::Running).await?.id().clone());
    }
    wanted.sort();
    trial.pass(MINUTE.saturating_mul(2)).await?;
    for which in [quiet(Some("export")), due(50)?] {
        walked(&*store, &which, &wanted).await?;
    }
    Ok(())
}

/// Finds all of them, two at a time.
async fn walked(store: &dyn Store, which: &Idle, wanted: &[OperationId]) -> Outcome {
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..=wanted.len() {
        let some = store.idle(which, after.as_ref(), count(2)).await?;
        if some.len() > 2 {
            return Err(Stop::Broken(format!("{} where at most 2 were asked for", some.len())));
        }
        after = some.last().cloned();
        seen.extend(some);
        if after.is_none() {
            break;
        }
    }
    same(&seen, &wanted.to_vec(), &format!("all of {which:?}, two at a time"))
}

/// An operation claimed by an open of this process.
async fn claimed(trial: &Trial, store: &dyn Store, id: &str, claim: u64) -> Outcome<Operation> {
    let holder = holder::of_instance(store.opened().instance, claim);
    let created = trial.named(store, id, 1).await?;
    step(store, &created, Patch::claim(holder), 2).await
}

/// Makes sure that earlier instances are known to be dead.
async fn bury(trial: &Trial, store: &dyn Store) -> Outcome {
    if store.opened().exclusive { Ok(()) } else { trial.pass(LONG).await }
}

pub(super) async fn orphans_of_a_closed_instance_are_found(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let one = claimed(trial, &*store, "a", 1).await?;
    let other = claimed(trial, &*store, "b", 2).await?;
    let store = trial.reopen(store).await?;
    bury(trial, &*store).await?;
    same(&found(&*store, &Idle::Orphaned).await?, &ids(&[&one, &other]), "held by an instance that is closed")
}

pub(super) async fn orphans_of_a_crashed_instance_are_found(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let one = claimed(trial, &*store, "a", 1).await?;
    let store = trial.crash(store).await?;
    bury(trial, &*store).await?;
    same(&found(&*store, &Idle::Orphaned).await?, &ids(&[&one]), "held by an instance that crashed")
}

pub(super) async fn own_claims_are_no_orphans(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    claimed(trial, &*store, "a", 1).await?;
    same(&found(&*store, &Idle::Orphaned).await?, &Vec::new(), "held by this instance")?;
    let store = trial.reopen(store).await?;
    let again = claimed(trial, &*store, "b", 1).await?;
    bury(trial, &*store).await?;
    let orphans = found(&*store, &Idle::Orphaned).await?;
    same(&orphans.contains(again.id()), &false, "whether this instance's claim is an orphan")
}

pub(super) async fn remote_claims_are_no_orphans(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let named = trial.named(&*store, "a", 1).await?;
    step(&*store, &named, Patch::claim("worker-7"), 2).await?;
    running(trial, &*store, "b").await?;
    let store = trial.reopen(store).await?;
    bury(trial, &*store).await?;
    same(&found(&*store, &Idle::Orphaned).await?, &Vec::new(), "held by a remote worker, and by nobody")
}

pub(super) async fn ended_orphan_is_none(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let one = claimed(trial, &*store, "a", 1).await?;
    let other = claimed(trial, &*store, "b", 2).await?;
    let store = trial.reopen(store).await?;
    bury(trial, &*store).await?;
    step(&*store, &one, Patch::new().status(Status::Failed), 3).await?;
    same(&found(&*store, &Idle::Orphaned).await?, &ids(&[&other]), "after one of two orphans was ended")
}

/// An operation that must have ended at a tick.
async fn bound(trial: &Trial, store: &dyn Store, id: &str, deadline: i64, status: Status) -> Outcome<Operation> {
    let new = new(id)?.deadline(at(deadline)?.to_datetime());
    trial.in_status(store, &new, status, 1).await
}

fn due(tick: i64) -> Outcome<Idle> {
    Ok(Idle::Due { until: at(tick)? })
}

pub(super) async fn due_is_found(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let waits = bound(trial, &*store, "b", 50, Status::NotStarted).await?;
    let runs = bound(trial, &*store, "a", 40, Status::Running).await?;
    let later = bound(trial, &*store, "c", 60, Status::Running).await?;
    trial.named(&*store, "d", 1).await?;
    same(&found(&*store, &due(39)?).await?, &Vec::new(), "before the first deadline")?;
    same(&found(&*store, &due(50)?).await?, &ids(&[&runs, &waits]), "at the second deadline")?;
    same(&found(&*store, &due(60)?).await?, &ids(&[&runs, &waits, &later]), "at the last deadline")
}

pub(super) async fn only_what_lives_is_due(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let runs = bound(trial, &*store, "a", 40, Status::Running).await?;
    bound(trial, &*store, "b", 40, Status::Completed).await?;
    bound(trial, &*store, "c", 40, Status::Failed).await?;
    same(&found(&*store, &due(50)?).await?, &ids(&[&runs]), "beside two that have ended")?;
    step(&*store, &runs, Patch::new().status(Status::Completed), 2).await?;
    same(&found(&*store, &due(50)?).await?, &Vec::new(), "all have ended")
}

pub(super) async fn due_is_found_after_open(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let runs = bound(trial, &*store, "a", 40, Status::Running).await?;
    let store = trial.reopen(store).await?;
    same(&found(&*store, &due(50)?).await?, &ids(&[&runs]), "after close and open")
}
