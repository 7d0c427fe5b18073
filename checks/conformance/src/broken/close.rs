//! Stores that do not end.

use longrun::store::{Counts, Durability, StoreError, Swap};

use super::flaw::{Cx, Flaw, WHOLE, lock};

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "close::closed_store_refuses_reads",
        says: "a closed store counts nothing",
        counts: |cx| {
            Box::pin(async move {
                match cx.inner.counts().await {
                    Err(StoreError::Closed) => Ok(Counts::default()),
                    other => other,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "close::closed_store_refuses_writes",
        says: "a closed store takes Eventual writes and forgets them",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await {
                    Err(StoreError::Closed) if durability == Durability::Eventual => Ok(Swap::Stored),
                    other => other,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "close::second_close_is_the_first",
        says: "to close what two have closed is an error",
        close: |cx| {
            Box::pin(async move {
                if cx.noted().closes > 1 {
                    return Err(StoreError::Closed);
                }
                cx.inner.close().await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "close::dropped_close_can_be_finished",
        says: "after a close that was dropped no other one can finish it",
        close: |cx| {
            Box::pin(async move {
                if cx.noted().half_closed {
                    return Err(StoreError::indefinite("somebody began to close"));
                }
                let half = HalfClosed(cx);
                tokio::task::yield_now().await;
                let closed = cx.inner.close().await;
                std::mem::forget(half);
                closed
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "close::place_is_free_at_once",
        says: "the place is taken until the closed store is dropped",
        open: |notes, place| {
            Box::pin(async move {
                if lock(notes).last.strong_count() > 0 {
                    return Err(StoreError::Locked("the store before is still there".into()));
                }
                place.open().await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "close::place_is_locked_while_it_is_open",
        says: "a second open waits for nobody and is refused with no reason",
        open: |_, place| {
            Box::pin(async move {
                match place.open().await {
                    Err(StoreError::Locked(_)) => Err(StoreError::definite("cannot be opened")),
                    other => other,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "close::what_was_submitted_is_drained",
        says: "what is stored while the store closes is said to be refused",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await {
                    Ok(Swap::Stored) if cx.noted().closing => Err(StoreError::Closed),
                    other => other,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "close::dropped_store_keeps_what_it_acknowledged",
        says: "without a close the last write is gone",
        load: |cx, id| {
            Box::pin(async move {
                let old = {
                    let noted = cx.noted();
                    if noted.opens > 1 && !noted.closed && !noted.crashed { noted.before_last(id) } else { None }
                };
                if old.is_some() { Ok(old) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
];

struct HalfClosed<'a>(&'a Cx);

impl Drop for HalfClosed<'_> {
    fn drop(&mut self) {
        self.0.noted().half_closed = true;
    }
}
