//! Stores that show what may still vanish, or do not show what was stored.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use longrun::Operation;
use longrun::model::{Status, Version};
use longrun::store::{Change, Changes, Durability, Hint, HintStream, Position, StoreError, Swap};

use super::flaw::{Cx, Flaw, Notes, Pending, WHOLE, lock};

/// Sends a write on its way and answers before it is durable, where durability is held back.
async fn early(
    cx: &Cx,
    expected: Option<Version>,
    next: &Operation,
    durability: Durability,
    which: bool,
) -> Result<Swap, StoreError> {
    if !(cx.noted().held && which) {
        return cx.inner.swap(expected, next, durability).await;
    }
    let (inner, next) = (Arc::clone(&cx.inner), next.clone());
    #[expect(clippy::disallowed_methods, reason = "the write goes on while this answers: that is the flaw")]
    let write = tokio::spawn(async move { inner.swap(expected, &next, durability).await });
    cx.noted().early.push(write);
    Ok(Swap::Stored)
}

/// Changes of what was there that are under way while durability is held back.
fn held(cx: &Cx) -> Vec<Pending> {
    let noted = cx.noted();
    if noted.held { noted.pending.iter().filter(|p| p.expected.is_some()).cloned().collect() } else { Vec::new() }
}

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "visibility::stored_is_shown_everywhere",
        says: "the feed from the start ends one before the newest start",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                let started = cx.noted().last_write().is_some_and(|last| {
                    last.operation.status() == Status::Running && last.durability == Durability::Immediate
                });
                if *after == Position::START && started && cx.noted().opens == 1 {
                    changes.items.pop();
                }
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::eventual_is_loaded_at_once",
        says: "the first read after an Eventual write is of before it",
        load: |cx, id| {
            Box::pin(async move {
                let stale = {
                    let noted = cx.noted();
                    let cold = noted.reads == 0 && noted.attempts == 3 && noted.opens == 1;
                    if cold && noted.ends_eventual() { noted.before_last(id) } else { None }
                };
                if stale.is_some() { Ok(stale) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::eventual_is_listed_at_once",
        says: "a list is of before the last Eventual write",
        page: |cx, query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                let noted = cx.noted();
                if noted.ends_eventual() && noted.opens == 1 {
                    for item in &mut page.items {
                        *item = noted.before_last(item.id()).unwrap_or_else(|| item.clone());
                    }
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::eventual_comes_in_the_feed",
        says: "what had Eventual writes and ended is told in two versions",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let changes = cx.inner.changes(after, limit).await?;
                let noted = cx.noted();
                let mut items = Vec::new();
                for item in changes.items {
                    if let Change::Updated(operation) = &item
                        && operation.is_terminal()
                        && noted.eventuals() > 0
                    {
                        items.extend(noted.before_last(operation.id()).map(Change::Updated));
                    }
                    items.push(item);
                }
                Ok(Changes::new(items, changes.next, changes.at_end))
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::acknowledged_only_when_durable",
        says: "a swap is answered before it is durable",
        swap: |cx, expected, next, durability| {
            let which = expected.is_some() && durability == Durability::Immediate && cx.noted().early.is_empty();
            Box::pin(async move {
                // A race is still judged by the store.
                let which = which && cx.noted().pending.len() == 1;
                early(cx, expected, next, durability, which).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::create_waits_for_durability",
        says: "a create is answered before it is durable",
        swap: |cx, expected, next, durability| Box::pin(early(cx, expected, next, durability, expected.is_none())),
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::load_waits_for_durability",
        says: "load shows a change that is not durable",
        load: |cx, id| {
            Box::pin(async move {
                let found = cx.inner.load(id).await?;
                let ahead = held(cx).into_iter().find(|pending| pending.next.id() == id);
                Ok(ahead.map_or(found, |pending| Some(pending.next)))
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::page_waits_for_durability",
        says: "a list shows a change that is not durable",
        page: |cx, query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                for pending in held(cx) {
                    page.items.retain(|item| item.id() != pending.next.id());
                    page.items.extend(Some(pending.next).filter(|next| query.admits(next)));
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::counts_wait_for_durability",
        says: "a change that is not durable is counted",
        counts: |cx| {
            Box::pin(async move {
                let mut counts = cx.inner.counts().await?;
                for pending in held(cx) {
                    counts.add(pending.next.type_name(), pending.next.status(), 1);
                }
                Ok(counts)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::feed_waits_for_durability",
        says: "the feed tells of a change that is not durable",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                changes.items.extend(held(cx).into_iter().map(|pending| Change::Updated(pending.next)));
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::hints_wait_for_durability",
        says: "a change is hinted at before it is durable",
        swap: |cx, expected, next, durability| {
            if cx.noted().held {
                cx.noted().early_hints.push_back(next.id().clone());
            }
            cx.inner.swap(expected, next, durability)
        },
        hints: |cx| Box::pin(EarlyHints { inner: cx.inner.hints(), notes: Arc::clone(&cx.notes) }),
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::lost_waits_for_durability",
        says: "Lost names a winner that is not durable",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let winner = held(cx).into_iter().find(|pending| {
                    pending.expected == expected && pending.next.id() == next.id() && pending.next != *next
                });
                match winner {
                    Some(winner) => Ok(Swap::Lost(Some(winner.next))),
                    None => cx.inner.swap(expected, next, durability).await,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "visibility::eventual_waits_for_what_lies_below",
        says: "progress is acknowledged on top of a start that is not durable",
        swap: |cx, expected, next, durability| {
            Box::pin(early(cx, expected, next, durability, durability == Durability::Eventual))
        },
        ..WHOLE
    },
];

/// Hints, and those before their time.
pub(crate) struct EarlyHints {
    pub(crate) inner: HintStream,
    pub(crate) notes: Arc<Notes>,
}

impl Stream for EarlyHints {
    type Item = Hint;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Hint>> {
        if let Some(early) = lock(&self.notes).early_hints.pop_front() {
            return Poll::Ready(Some(Some(early)));
        }
        self.inner.as_mut().poll_next(context)
    }
}
