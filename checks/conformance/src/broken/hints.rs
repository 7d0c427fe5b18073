//! Stores whose hints run ahead, never come, never end or hold writers up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use longrun::store::{Hint, HintStream, StoreError};

use super::flaw::{Flaw, Notes, WHOLE, lock};
use super::visibility::EarlyHints;

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "hints::changes_are_hinted_at",
        says: "all hints are lost",
        hints: |cx| Box::pin(Lost(cx.inner.hints())),
        ..WHOLE
    },
    Flaw {
        breaks: "hints::end_when_the_store_is_closed",
        says: "hints do not end",
        hints: |cx| Box::pin(Endless(cx.inner.hints())),
        ..WHOLE
    },
    Flaw {
        breaks: "hints::record_is_not_behind",
        says: "a create is hinted at before it is done",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                if expected.is_none() && !cx.noted().held {
                    cx.noted().early_hints.push_back(next.id().clone());
                    // Whoever listens looks now.
                    tokio::task::yield_now().await;
                }
                cx.inner.swap(expected, next, durability).await
            })
        },
        hints: |cx| Box::pin(EarlyHints { inner: cx.inner.hints(), notes: Arc::clone(&cx.notes) }),
        ..WHOLE
    },
    Flaw {
        breaks: "hints::unread_stream_holds_nobody_up",
        says: "writes fail while 256 hints are unread",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                if cx.noted().hinted > 256 {
                    return Err(StoreError::definite("too many hints are unread"));
                }
                let unread = cx.noted().hinted > 0;
                cx.noted().hinted += usize::from(unread);
                cx.inner.swap(expected, next, durability).await
            })
        },
        hints: |cx| {
            cx.noted().hinted = 1;
            Box::pin(Read(cx.inner.hints(), Arc::clone(&cx.notes)))
        },
        ..WHOLE
    },
];

struct Lost(HintStream);

impl Stream for Lost {
    type Item = Hint;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Hint>> {
        loop {
            match self.0.as_mut().poll_next(context) {
                Poll::Ready(Some(_)) => {}
                other => return other,
            }
        }
    }
}

struct Endless(HintStream);

impl Stream for Endless {
    type Item = Hint;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Hint>> {
        match self.0.as_mut().poll_next(context) {
            Poll::Ready(None) => Poll::Pending,
            other => other,
        }
    }
}

/// Counts what is read.
struct Read(HintStream, Arc<Notes>);

impl Stream for Read {
    type Item = Hint;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Hint>> {
        lock(&self.1).hinted = 1;
        self.0.as_mut().poll_next(context)
    }
}
