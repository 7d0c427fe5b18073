//! Stores that break a promise of swaps.

use longrun::model::Status;
use longrun::store::{Durability, StoreError, Swap};

use super::flaw::{Cx, Flaw, WHOLE};
use super::made::with_detail;

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "swap::created_is_loaded",
        says: "until a second write the first is loaded with a detail that nobody wrote",
        load: |cx, id| {
            Box::pin(async move {
                let first = {
                    let n = cx.noted();
                    n.attempts == 1 && n.opens == 1 && n.reads == 0
                };
                let found = cx.inner.load(id).await?;
                Ok(if first { found.map(|found| with_detail(&found, "not written")) } else { found })
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::nothing_is_loaded_as_nothing",
        says: "an id that is not there is an error while the store is empty",
        load: |cx, id| {
            Box::pin(async move {
                if cx.noted().attempts == 0 && cx.noted().opens == 1 {
                    return Err(StoreError::definite("no such record"));
                }
                cx.inner.load(id).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::swapped_is_loaded",
        says: "the first read after a swap is of before it",
        load: |cx, id| {
            Box::pin(async move {
                let stale = {
                    let noted = cx.noted();
                    let cold = noted.reads == 0 && noted.attempts == 2 && noted.opens == 1;
                    let swapped = noted.last_write().is_some_and(|last| !last.removes && last.operation.id() == id);
                    if cold && swapped { noted.before_last(id) } else { None }
                };
                if stale.is_some() { Ok(stale) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::create_loses_to_what_is_there",
        says: "a create that lost is not told to whom, where the times differ",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await? {
                    Swap::Lost(Some(winner)) if expected.is_none() && winner.created() != next.created() => {
                        Ok(Swap::Lost(None))
                    }
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::stale_version_loses",
        says: "a swap that lost to a start long ago is not told to whom",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let old = cx.noted().acked(next.id()).is_some_and(|acked| {
                    expected.is_some_and(|expected| {
                        expected != acked.version() && expected.birth() == acked.version().birth()
                    }) && acked.status() == Status::Running
                });
                match cx.inner.swap(expected, next, durability).await? {
                    Swap::Lost(Some(_)) if old => Ok(Swap::Lost(None)),
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::whole_version_is_compared",
        says: "the instance of a version is not compared",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let acked = cx.noted().acked(next.id()).map(longrun::Operation::version);
                let expected = match (expected, acked) {
                    (Some(e), Some(a)) if (e.birth(), e.n()) == (a.birth(), a.n()) => Some(a),
                    (expected, _) => expected,
                };
                cx.inner.swap(expected, next, durability).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::swap_of_nothing_loses",
        says: "a swap of what never was creates it",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let never = cx.noted().lives(next.id()) == 0 && cx.noted().opens == 1;
                let expected = if never && cx.noted().pending.len() == 1 { None } else { expected };
                cx.inner.swap(expected, next, durability).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::removed_is_gone",
        says: "the first read after a removal is of before it",
        load: |cx, id| {
            Box::pin(async move {
                let noted = {
                    let n = cx.noted();
                    (n.reads == 0 && n.opens == 1 && n.attempts == 2).then(|| n.removed(id)).flatten()
                };
                if noted.is_some() { Ok(noted) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::stale_removal_loses",
        says: "a removal that lost is not told to whom",
        remove: |cx, id, expected| {
            Box::pin(async move {
                match cx.inner.remove(id, expected).await? {
                    Swap::Lost(Some(_)) => Ok(Swap::Lost(None)),
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::second_removal_loses",
        says: "a removal of what is gone is Stored",
        remove: |cx, id, expected| {
            Box::pin(async move {
                match cx.inner.remove(id, expected).await? {
                    Swap::Lost(None) => Ok(Swap::Stored),
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::created_again_is_another",
        says: "an id's lives are not told apart",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let (acked, lives) = {
                    let noted = cx.noted();
                    (noted.acked(next.id()).map(longrun::Operation::version), noted.lives(next.id()))
                };
                let expected = match (expected, acked) {
                    (Some(e), Some(a)) if lives > 1 && e.n() == a.n() => Some(a),
                    (expected, _) => expected,
                };
                cx.inner.swap(expected, next, durability).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::store_does_not_judge",
        says: "the store refuses to replace what has ended",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let acked = cx.noted().acked(next.id()).cloned();
                match acked {
                    Some(acked) if acked.is_terminal() => Ok(Swap::Lost(Some(acked))),
                    _ => cx.inner.swap(expected, next, durability).await,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::one_racer_wins",
        says: "a write of the same number as the winner's is taken for the same write",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await? {
                    Swap::Lost(Some(winner))
                        if winner.detail().is_some() && winner.version().n() == next.version().n() =>
                    {
                        Ok(Swap::Stored)
                    }
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::one_creator_wins",
        says: "a create of the same instant as the winner's is taken for the same create",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await? {
                    Swap::Lost(Some(winner)) if expected.is_none() && winner.created() == next.created() => {
                        Ok(Swap::Stored)
                    }
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::no_update_is_lost",
        says: "an Eventual write overwrites what it lost to while nothing runs",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let mut swap = cx.inner.swap(expected, next, durability).await?;
                while let Swap::Lost(Some(winner)) = &swap
                    && durability == Durability::Eventual
                    && winner.status() == Status::NotStarted
                {
                    let winner = winner.version();
                    swap = cx.inner.swap(Some(winner), next, durability).await?;
                }
                Ok(swap)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "swap::dropped_is_all_or_nothing",
        says: "a swap that is dropped under way leaves half of itself",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let mut half = Half { cx, write: None };
                if let (Some(expected), Some(before)) = (expected, cx.noted().acked(next.id())) {
                    half.write = Some((expected, with_detail(before, "half")));
                }
                // Between the halves.
                tokio::task::yield_now().await;
                let swap = cx.inner.swap(expected, next, durability).await;
                half.write = None;
                swap
            })
        },
        ..WHOLE
    },
];

struct Half<'a> {
    cx: &'a Cx,
    write: Option<(longrun::model::Version, longrun::Operation)>,
}

impl Drop for Half<'_> {
    fn drop(&mut self) {
        self.cx.noted().halves.extend(self.write.take());
    }
}
