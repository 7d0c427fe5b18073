//! Stores whose feed misses, doubles or reorders.

use longrun::model::{Status, Version};
use longrun::store::{Change, Changes, Position};

use super::flaw::{Flaw, WHOLE};

fn is_first(change: &Change) -> bool {
    matches!(change, Change::Updated(operation) if operation.version().n() == 1)
}

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "feed::start_is_the_snapshot",
        says: "a snapshot of creates alone, in one stretch of 10, lacks the oldest",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                let creates = changes.items.len() > 1 && changes.items.iter().all(is_first);
                if creates && *after == Position::START && limit.get() == 10 {
                    changes.items.remove(0);
                }
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::each_once_in_its_newest_version",
        says: "what is Completed is told as it ran, too",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let changes = cx.inner.changes(after, limit).await?;
                let noted = cx.noted();
                let mut items = Vec::new();
                for item in changes.items {
                    if let Change::Updated(operation) = &item
                        && operation.status() == Status::Completed
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
        breaks: "feed::eventual_comes_once",
        says: "the feed tells what load shows, before its place in the feed comes",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                for item in &mut changes.items {
                    if let Change::Updated(operation) = item
                        && let Some(shown) = cx.inner.load(operation.id()).await?
                    {
                        *operation = shown;
                    }
                }
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::goes_on_from_where_it_ended",
        says: "at the end of creates alone the last one is told again",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                let noted = cx.noted();
                let creates = noted.log.iter().all(|write| write.operation.version().n() == 1 && !write.removes);
                let again = changes.items.is_empty() && noted.feed_at_end && noted.opens == 1 && !noted.held;
                if let Some(last) = noted.last_write().filter(|_| again && creates && *after != Position::START) {
                    changes.items.push(Change::Updated(last.operation.clone()));
                }
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::short_stretches_lose_nothing",
        says: "a full stretch of three is said to be the end",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                changes.at_end |= changes.items.len() == 3 && limit.get() == 3;
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::deletion_is_told",
        says: "a deletion is told with another version",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                for item in changes.items.iter_mut().filter(|_| cx.noted().opens == 1) {
                    if let Change::Deleted { version, .. } = item {
                        *version = Version::new(version.birth(), version.n() + 1, version.instance());
                    }
                }
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::deletion_is_told_after_open",
        says: "deletions are forgotten at close",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                let forgets = cx.noted().opens > 1;
                changes.items.retain(|item| !(forgets && matches!(item, Change::Deleted { .. })));
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::created_again_shows_another_birth",
        says: "the deletion of an id's first life is told after the create of its second",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                let noted = cx.noted();
                let again = changes.items.iter().find(|item| is_first(item) && noted.lives(item.id()) > 1);
                if let Some(Change::Updated(operation)) = again.cloned() {
                    let (id, version) = (operation.id().clone(), operation.version());
                    changes.items.push(Change::Deleted { id, version });
                }
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::position_outlives_its_store",
        says: "after close and open every position is the start",
        changes: |cx, after, limit| {
            Box::pin(async move {
                // Only positions of this open are known.
                let known = cx.noted().opens == 1 || cx.noted().crashed || cx.noted().reads > 0;
                let after = if known { after } else { &Position::START };
                cx.inner.changes(after, limit).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::position_outlives_a_crash",
        says: "what was written first after a crash is not told",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                if cx.noted().crashed && !changes.items.is_empty() {
                    changes.items.remove(0);
                }
                Ok(changes)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::foreign_position_expires",
        says: "another store's position is taken for the start",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let own = after.store() == cx.inner.opened().store;
                cx.inner.changes(if own { after } else { &Position::START }, limit).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "feed::reader_beside_writers_misses_nothing",
        says: "what was written more than 20 times is not told any more",
        changes: |cx, after, limit| {
            Box::pin(async move {
                let mut changes = cx.inner.changes(after, limit).await?;
                let often = |item: &Change| matches!(item, Change::Updated(o) if o.version().n() > 20);
                changes.items.retain(|item| !often(item));
                Ok(changes)
            })
        },
        ..WHOLE
    },
];
