//! There is no blind write: a swap changes a record only while it has the expected version.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::trial::{Outcome, Stop, Trial, ensure, loads, lost_to, new, next, remove, replace, same, step};
use crate::model::{Operation, Patch, Status, Version};
use crate::store::{Durability, Store, Swap};

pub(super) async fn created_is_loaded(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let operation = trial.named(&*store, "a", 1).await?;
    loads(&*store, operation.id(), Some(&operation), "the operation that was created").await
}

pub(super) async fn nothing_is_loaded_as_nothing(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let draft = trial.draft(&*store, &new("a")?, 1)?;
    loads(&*store, draft.id(), None, "an id that has no operation").await
}

pub(super) async fn swapped_is_loaded(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let running = step(&*store, &created, Patch::new().status(Status::Running), 2).await?;
    loads(&*store, created.id(), Some(&running), "the operation that was swapped in").await
}

pub(super) async fn create_loses_to_what_is_there(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let first = trial.named(&*store, "a", 1).await?;
    let second = trial.draft(&*store, &new("a")?, 2)?;
    let swap = store.swap(None, &second, Durability::Immediate).await?;
    lost_to(&swap, Some(&first), "a create of an id that is taken")?;
    loads(&*store, first.id(), Some(&first), "the operation that was there").await
}

pub(super) async fn stale_version_loses(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let running = step(&*store, &created, Patch::new().status(Status::Running), 2).await?;
    let late = next(&*store, &created, &Patch::new().detail("late"), 3)?;
    for durability in [Durability::Immediate, Durability::Eventual] {
        let swap = store.swap(Some(created.version()), &late, durability).await?;
        lost_to(&swap, Some(&running), "a swap against a version that was replaced")?;
    }
    loads(&*store, created.id(), Some(&running), "the operation that won").await
}

pub(super) async fn whole_version_is_compared(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let late = next(&*store, &created, &Patch::new().detail("late"), 2)?;
    let version = created.version();
    let others = [
        Version::new(version.birth().wrapping_add(1), version.n(), version.instance()),
        Version::new(version.birth(), version.n().saturating_add(1), version.instance()),
        Version::new(version.birth(), version.n(), version.instance().wrapping_add(1)),
    ];
    for other in others {
        let swap = store.swap(Some(other), &late, Durability::Immediate).await?;
        lost_to(&swap, Some(&created), &format!("a swap against {other}, where {version} is"))?;
    }
    Ok(())
}

pub(super) async fn swap_of_nothing_loses(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let draft = trial.draft(&*store, &new("a")?, 1)?;
    let late = next(&*store, &draft, &Patch::new().detail("late"), 2)?;
    let swap = store.swap(Some(draft.version()), &late, Durability::Immediate).await?;
    lost_to(&swap, None, "a swap of an operation that is not there")?;
    loads(&*store, draft.id(), None, "an operation that never was").await
}

pub(super) async fn removed_is_gone(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    remove(&*store, &created).await?;
    loads(&*store, created.id(), None, "the operation that was removed").await
}

pub(super) async fn stale_removal_loses(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let running = step(&*store, &created, Patch::new().status(Status::Running), 2).await?;
    let swap = store.remove(created.id(), created.version()).await?;
    lost_to(&swap, Some(&running), "a removal of a version that was replaced")?;
    loads(&*store, created.id(), Some(&running), "the operation that won").await
}

pub(super) async fn second_removal_loses(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    remove(&*store, &created).await?;
    let swap = store.remove(created.id(), created.version()).await?;
    lost_to(&swap, None, "a second removal")
}

pub(super) async fn created_again_is_another(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let first = trial.named(&*store, "a", 1).await?;
    remove(&*store, &first).await?;
    let second = trial.named(&*store, "a", 2).await?;
    let late = next(&*store, &first, &Patch::new().detail("late"), 3)?;
    let swap = store.swap(Some(first.version()), &late, Durability::Immediate).await?;
    lost_to(&swap, Some(&second), "a swap against the removed operation of that id")?;
    loads(&*store, second.id(), Some(&second), "the operation of the second life").await
}

pub(super) async fn store_does_not_judge(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let running = step(&*store, &created, Patch::new().status(Status::Running), 2).await?;
    let ended = step(&*store, &running, Patch::new().status(Status::Failed), 3).await?;
    // No patch makes this: whether it may happen is the model's business alone.
    replace(&*store, &ended, &running, Durability::Immediate).await?;
    replace(&*store, &running, &created, Durability::Immediate).await?;
    remove(&*store, &created).await
}

/// Who races.
const RACERS: usize = 8;

pub(super) async fn one_racer_wins(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    for round in 0..10_i64 {
        let created = trial.named(&*store, &format!("a{round}"), 1).await?;
        let barrier = Arc::new(Barrier::new(RACERS));
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let patch = Patch::new().detail(format!("racer {racer}"));
            let next = next(&*store, &created, &patch, round.saturating_add(2))?;
            let (store, barrier, expected) = (Arc::clone(&store), Arc::clone(&barrier), created.version());
            racers.spawn(async move {
                barrier.wait().await;
                (store.swap(Some(expected), &next, Durability::Immediate).await, next)
            });
        }
        judge_race(&*store, racers, Some(&created)).await?;
    }
    Ok(())
}

pub(super) async fn one_creator_wins(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    for round in 0..10_i64 {
        let barrier = Arc::new(Barrier::new(RACERS));
        let mut racers = JoinSet::new();
        for _ in 0..RACERS {
            let next = trial.draft(&*store, &new(&format!("a{round}"))?, round)?;
            let (store, barrier) = (Arc::clone(&store), Arc::clone(&barrier));
            racers.spawn(async move {
                barrier.wait().await;
                (store.swap(None, &next, Durability::Immediate).await, next)
            });
        }
        judge_race(&*store, racers, None).await?;
    }
    Ok(())
}

type Racers = JoinSet<(Result<Swap, crate::store::StoreError>, Operation)>;

/// Exactly one is stored; all others lost to it.
async fn judge_race(store: &dyn Store, mut racers: Racers, before: Option<&Operation>) -> Outcome {
    let (mut winners, mut lost) = (Vec::new(), Vec::new());
    while let Some(racer) = racers.join_next().await {
        let (swap, next) = racer?;
        match swap? {
            Swap::Stored => winners.push(next),
            Swap::Lost(winner) => lost.push(winner),
            Swap::Taken(_) => return Err(Stop::Broken("taken, and there is no key".into())),
        }
    }
    let [winner] = &*winners else {
        return Err(Stop::Broken(format!("{} of {RACERS} racers won", winners.len())));
    };
    for found in lost {
        ensure(found.as_ref() != before, || "a racer lost to the record that it expected".into())?;
        same(&found.as_ref(), &Some(winner), "what a racer lost to")?;
    }
    loads(store, winner.id(), Some(winner), "the record after the race").await
}

/// Who counts up, and how often each.
const WORKERS: u64 = 5;
const INCREMENTS: u64 = 10;

pub(super) async fn no_update_is_lost(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let created = trial.named(&*store, "a", 1).await?;
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (store, created) = (Arc::clone(&store), created.clone());
        let durability = if worker % 2 == 0 { Durability::Immediate } else { Durability::Eventual };
        workers.spawn(async move {
            let mut current = created;
            let (mut done, mut rounds) = (0, 0_u32);
            while done < INCREMENTS {
                let next = next(&*store, &current, &Patch::heartbeat(), i64::from(rounds))?;
                let expected = current.version();
                match store.swap(Some(expected), &next, durability).await? {
                    Swap::Stored => (done, current) = (done.saturating_add(1), next),
                    Swap::Lost(Some(winner)) => current = winner,
                    other => return Err(Stop::Broken(format!("lost to nothing: {other:?}"))),
                }
                rounds = rounds.saturating_add(1);
                ensure(rounds < 10_000, || "10,000 rounds without an end".into())?;
            }
            Ok(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    let sum = store.load(created.id()).await?.map(|operation| operation.version().n());
    let wanted = WORKERS.saturating_mul(INCREMENTS).saturating_add(created.version().n());
    same(&sum, &Some(wanted), "the sum of all increments")
}

/// Polls after which a swap is dropped, at most.
const POLLS: usize = 12;

pub(super) async fn dropped_is_all_or_nothing(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut pairs = Vec::new();
    for polls in 0..POLLS {
        let created = trial.named(&*store, &format!("a{polls}"), 1).await?;
        let running = next(&*store, &created, &Patch::new().status(Status::Running), 2)?;
        {
            let mut swap = store.swap(Some(created.version()), &running, Durability::Immediate);
            for _ in 0..polls {
                if poll_fn(|context| Poll::Ready(swap.as_mut().poll(context).is_ready())).await {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        pairs.push((created, running));
    }
    // After a write of the same kind that was waited for, those before it are decided.
    trial.named(&*store, "b", 3).await?;
    let store = trial.reopen(store).await?;
    for (created, running) in pairs {
        let found = store.load(created.id()).await?;
        ensure(found.as_ref() == Some(&created) || found.as_ref() == Some(&running), || {
            format!("a dropped swap left {found:?}")
        })?;
        if let Some(found) = found {
            step(&*store, &found, Patch::new().detail("goes on"), 4).await?;
        }
    }
    Ok(())
}
