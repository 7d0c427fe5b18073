//! Stores that let two operations hold one key, or keep a key from those who may have it.

use longrun::Operation;
use longrun::model::Status;
use longrun::store::Swap;

use super::flaw::{Cx, Flaw, WHOLE};

/// What the store within answers to a create with a key; `None` for any other write.
fn key(expected: Option<longrun::model::Version>, next: &Operation) -> Option<&str> {
    next.held_key().filter(|_| expected.is_none())
}

/// Somebody who had the key and should not keep others from it.
fn former(cx: &Cx, key: &str, fits: impl Fn(&Operation, bool) -> bool) -> Option<Operation> {
    let noted = cx.noted();
    let mut log = noted.log.iter().map(|write| (&write.operation, write.removes));
    log.find(|(operation, removes)| operation.unique_key() == Some(key) && fits(operation, *removes))
        .map(|(operation, _)| operation.clone())
}

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "unique::held_key_is_taken",
        says: "a key beyond ASCII is taken by nobody one knows",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await? {
                    Swap::Taken(_) if next.unique_key().is_some_and(|key| !key.is_ascii()) => Ok(Swap::Lost(None)),
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "unique::ended_holder_frees_its_key",
        says: "one that failed keeps its key",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let failed = key(expected, next)
                    .and_then(|key| former(cx, key, |operation, _| operation.status() == Status::Failed));
                match failed {
                    Some(holder) => Ok(Swap::Taken(holder)),
                    None => cx.inner.swap(expected, next, durability).await,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "unique::removed_holder_frees_its_key",
        says: "one that is gone keeps its key",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match key(expected, next).and_then(|key| former(cx, key, |_, removes| removes)) {
                    Some(holder) => Ok(Swap::Taken(holder)),
                    None => cx.inner.swap(expected, next, durability).await,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "unique::own_id_comes_before_the_key",
        says: "an operation's key is taken by itself",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await? {
                    Swap::Lost(Some(winner))
                        if key(expected, next).is_some() && winner.held_key() == next.held_key() =>
                    {
                        Ok(Swap::Taken(winner))
                    }
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "unique::one_creator_takes_the_key",
        says: "a key that ends in a digit is had by all who ask",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await? {
                    Swap::Taken(_) if next.unique_key().is_some_and(|key| key.ends_with(char::is_numeric)) => {
                        Ok(Swap::Stored)
                    }
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "unique::key_outlives_its_store",
        says: "after close and open no key is held",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await? {
                    Swap::Taken(_) if cx.noted().opens > 1 => Ok(Swap::Stored),
                    other => Ok(other),
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "unique::taken_waits_for_durability",
        says: "a key is taken by what is not durable yet",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                let early = {
                    let noted = cx.noted();
                    let other = |pending: &&super::flaw::Pending| {
                        pending.next.id() != next.id() && pending.next.held_key() == next.held_key()
                    };
                    let other = noted.pending.iter().find(other).map(|pending| pending.next.clone());
                    other.filter(|_| noted.held && key(expected, next).is_some())
                };
                match early {
                    Some(holder) => Ok(Swap::Taken(holder)),
                    None => cx.inner.swap(expected, next, durability).await,
                }
            })
        },
        ..WHOLE
    },
];
