//! What is acknowledged is shown everywhere; what could still vanish is shown nowhere.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::task::JoinHandle;

use super::Hold;
use super::trial::{
    Outcome, Stop, Trial, by, count, ensure, feed, fold, listed, loads, lost_to, new, next, replace, same, step,
};
use crate::model::{NewOperation, Operation, Patch, Query, Status};
use crate::store::{Change, Counts, Durability, Position, Store, StoreError, Swap};

pub(super) async fn eventual_is_loaded_at_once(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let running = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    let further = next(&*store, &running, &Patch::new().progress(40), 2)?;
    replace(&*store, &running, &further, Durability::Eventual).await?;
    loads(&*store, running.id(), Some(&further), "the progress that was told").await
}

pub(super) async fn eventual_is_listed_at_once(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let running = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    let further = next(&*store, &running, &Patch::new().progress(40), 2)?;
    replace(&*store, &running, &further, Durability::Eventual).await?;
    same(&listed(&*store, &by(10)).await?, &vec![further], "the list after progress was told")
}

pub(super) async fn eventual_comes_in_the_feed(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let running = trial.in_status(&*store, &new("a")?, Status::Running, 1).await?;
    let further = next(&*store, &running, &Patch::new().progress(40), 2)?;
    replace(&*store, &running, &further, Durability::Eventual).await?;
    // The feed may wait for durability: a later Immediate write's group carries all before it.
    let ended = step(&*store, &further, Patch::new().detail("x").status(Status::Failed), 3).await?;
    let (changes, _) = feed(&*store, Position::START, 10).await?;
    same(&changes, &vec![Change::Updated(ended)], "the feed after progress and an end")
}

/// A change from an operation that is not started to one that runs, which is not durable yet.
struct Held {
    before: Operation,
    after: Operation,
    /// Where the feed ended before.
    position: Position,
    swap: JoinHandle<Result<Swap, StoreError>>,
    hold: Box<dyn Hold>,
}

/// Sends a change and holds it just before it is durable.
async fn held(trial: &Trial, store: &Arc<dyn Store>) -> Outcome<Held> {
    let before = trial.named(&**store, "a", 1).await?;
    let after = next(&**store, &before, &Patch::new().status(Status::Running), 2)?;
    let (_, position) = feed(&**store, Position::START, 10).await?;
    let hold = trial.hold()?;
    let swap = spawn_swap(store, Some(&before), &after, Durability::Immediate);
    hold.reached().await;
    Ok(Held { before, after, position, swap, hold })
}

#[expect(clippy::disallowed_methods, reason = "the suite is a host of the library")]
pub(super) fn spawn_swap(
    store: &Arc<dyn Store>,
    expected: Option<&Operation>,
    next: &Operation,
    durability: Durability,
) -> JoinHandle<Result<Swap, StoreError>> {
    let (store, expected, next) = (Arc::clone(store), expected.map(Operation::version), next.clone());
    tokio::spawn(async move { store.swap(expected, &next, durability).await })
}

impl Held {
    /// Lets the change become durable.
    async fn release(self) -> Outcome<(Operation, Operation)> {
        drop(self.hold);
        same(&self.swap.await??, &Swap::Stored, "the write that was held back")?;
        Ok((self.before, self.after))
    }
}

/// What a read answers: at once, or `None` while it waits for what is not durable yet.
pub(super) async fn polled<T>(read: impl Future<Output = Result<T, StoreError>>) -> Outcome<Option<T>> {
    let mut read = pin!(read);
    for _ in 0..32 {
        let polled = poll_fn(|context| {
            Poll::Ready(match read.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        });
        if let Some(answer) = polled.await {
            return Ok(Some(answer?));
        }
        tokio::task::yield_now().await;
    }
    Ok(None)
}

pub(super) async fn load_waits_for_durability(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let held = held(trial, &store).await?;
    if let Some(found) = polled(store.load(held.before.id())).await? {
        same(&found.as_ref(), &Some(&held.before), "load while the change is not durable")?;
    }
    let (before, after) = held.release().await?;
    loads(&*store, before.id(), Some(&after), "load after the change is durable").await
}

pub(super) async fn create_waits_for_durability(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let draft = trial.draft(&*store, &new("a")?, 1)?;
    let hold = trial.hold()?;
    let create = spawn_swap(&store, None, &draft, Durability::Immediate);
    hold.reached().await;
    if let Some(found) = polled(store.load(draft.id())).await? {
        same(&found, &None, "load while the create is not durable")?;
    }
    ensure(!create.is_finished(), || "a create was answered before it was durable".into())?;
    drop(hold);
    same(&create.await??, &Swap::Stored, "the create that was held back")
}

pub(super) async fn acknowledged_only_when_durable(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let held = held(trial, &store).await?;
    for _ in 0..32 {
        tokio::task::yield_now().await;
        ensure(!held.swap.is_finished(), || "a swap was answered before it was durable".into())?;
    }
    held.release().await.map(drop)
}

pub(super) async fn page_waits_for_durability(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let held = held(trial, &store).await?;
    if let Some(page) = polled(store.page(&by(10))).await? {
        same(&page.items, &vec![held.before.clone()], "the list while the change is not durable")?;
    }
    let running = Query { statuses: vec![Status::Running], ..by(10) };
    if let Some(page) = polled(store.page(&running)).await? {
        same(&page.items, &Vec::new(), "the list of what runs while the change is not durable")?;
    }
    let (_, after) = held.release().await?;
    same(&listed(&*store, &running).await?, &vec![after], "the list after the change is durable")
}

pub(super) async fn counts_wait_for_durability(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let held = held(trial, &store).await?;
    let of = |status| {
        let mut counts = Counts::default();
        counts.add(Some("export"), status, 1);
        counts
    };
    if let Some(counts) = polled(store.counts()).await? {
        same(&counts, &of(Status::NotStarted), "the counts while the change is not durable")?;
    }
    held.release().await?;
    same(&store.counts().await?, &of(Status::Running), "the counts after the change is durable")
}

pub(super) async fn feed_waits_for_durability(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let held = held(trial, &store).await?;
    let position = held.position;
    if let Some(changes) = polled(store.changes(&position, count(10))).await? {
        same(&changes.items, &Vec::new(), "the feed while the change is not durable")?;
    }
    let (before, after) = held.release().await?;
    let mut known = BTreeMap::from([(before.id().clone(), before)]);
    fold(&mut known, &feed(&*store, position, 10).await?.0);
    same(&known.into_values().collect(), &vec![after], "the feed after the change is durable")
}

pub(super) async fn hints_wait_for_durability(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let draft = trial.draft(&*store, &new("a")?, 1)?;
    let mut hints = store.hints();
    let hold = trial.hold()?;
    // Its first write: no late hint of an earlier one can name it.
    let create = spawn_swap(&store, None, &draft, Durability::Immediate);
    hold.reached().await;
    for _ in 0..32 {
        let hint = poll_fn(|context| {
            Poll::Ready(match hints.as_mut().poll_next(context) {
                Poll::Ready(Some(hint)) => hint,
                _ => None,
            })
        });
        if let Some(id) = hint.await {
            return Err(Stop::Broken(format!("{id} was hinted at while it was not durable")));
        }
        tokio::task::yield_now().await;
    }
    drop(hold);
    same(&create.await??, &Swap::Stored, "the create that was held back")
}

pub(super) async fn lost_waits_for_durability(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let held = held(trial, &store).await?;
    let late = next(&*store, &held.before, &Patch::new().detail("late"), 3)?;
    let mut lost = store.swap(Some(held.before.version()), &late, Durability::Immediate);
    if let Some(swap) = polled(&mut lost).await? {
        return Err(Stop::Broken(format!("answered {swap:?} while the winner is not durable")));
    }
    let (_, after) = held.release().await?;
    lost_to(&lost.await?, Some(&after), "the race that the held write won")
}

pub(super) async fn eventual_waits_for_what_lies_below(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let held = held(trial, &store).await?;
    let further = next(&*store, &held.after, &Patch::new().progress(40), 3)?;
    let told = spawn_swap(&store, Some(&held.after), &further, Durability::Eventual);
    for _ in 0..32 {
        tokio::task::yield_now().await;
        ensure(!told.is_finished(), || "progress was acknowledged on top of a start that may vanish".into())?;
    }
    held.release().await?;
    same(&told.await??, &Swap::Stored, "progress on top of a start that was held back")
}

pub(super) async fn stored_is_shown_everywhere(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let typed = NewOperation::new("import");
    for tick in 0..10 {
        let created = trial.create(&*store, &typed, tick).await?;
        let running = step(&*store, &created, Patch::new().status(Status::Running), tick).await?;
        let listed = listed(&*store, &by(100)).await?;
        ensure(listed.contains(&running), || format!("the list lacks {running:?}"))?;
        loads(&*store, running.id(), Some(&running), "load").await?;
        let shown = store.counts().await?.of_type(Some("import"), Status::Running);
        same(&shown, &u64::try_from(tick.saturating_add(1))?, "Running operations counted")?;
        let mut known = BTreeMap::new();
        fold(&mut known, &feed(&*store, Position::START, 100).await?.0);
        same(&known.get(running.id()), &Some(&running), "the feed")?;
    }
    Ok(())
}
