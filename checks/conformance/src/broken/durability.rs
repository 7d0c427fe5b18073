//! Stores that forget.

use longrun::model::{Query, Status};
use longrun::store::{Durability, Opened};

use super::flaw::{Flaw, Noted, WHOLE};

fn reopened(noted: &Noted) -> bool {
    noted.opens > 1 && !noted.crashed && noted.closed
}

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "durability::closed_store_keeps_all",
        says: "what is Completed without a result is gone after close and open",
        load: |cx, id| {
            Box::pin(async move {
                let found = cx.inner.load(id).await?;
                let forgets = reopened(&cx.noted());
                let bare = |o: &longrun::Operation| o.status() == Status::Completed && o.result_json().is_none();
                Ok(found.filter(|found| !(forgets && bare(found))))
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::closed_store_lists_all",
        says: "the first page after close and open lacks its last operation",
        page: |cx, query: &Query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                if reopened(&cx.noted()) && query.after.is_none() {
                    page.items.pop();
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::closed_store_keeps_eventual",
        says: "a last Eventual write is gone after close and open",
        load: |cx, id| {
            Box::pin(async move {
                let old = {
                    let noted = cx.noted();
                    if reopened(&noted) && noted.ends_eventual() { noted.before_last(id) } else { None }
                };
                if old.is_some() { Ok(old) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::removed_stays_gone",
        says: "what was removed is back after close and open",
        load: |cx, id| {
            Box::pin(async move {
                let back = {
                    let n = cx.noted();
                    reopened(&n).then(|| n.removed(id)).flatten()
                };
                if back.is_some() { Ok(back) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::create_survives_a_crash",
        says: "a create that nothing followed is gone after a crash",
        load: |cx, id| {
            Box::pin(async move {
                let gone = {
                    let n = cx.noted();
                    n.crashed && n.log.len() == 1
                };
                Ok(cx.inner.load(id).await?.filter(|_| !gone))
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::swap_survives_a_crash",
        says: "a start that nothing followed is taken back by a crash",
        load: |cx, id| {
            Box::pin(async move {
                let old = {
                    let noted = cx.noted();
                    let last =
                        noted.last_write().is_some_and(|w| w.operation.status() == Status::Running && !w.removes);
                    if noted.crashed && last && noted.eventuals() == 0 { noted.before_last(id) } else { None }
                };
                if old.is_some() { Ok(old) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::removal_survives_a_crash",
        says: "what was removed is back after a crash",
        load: |cx, id| {
            Box::pin(async move {
                let back = {
                    let n = cx.noted();
                    n.crashed.then(|| n.removed(id)).flatten()
                };
                if back.is_some() { Ok(back) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::crash_takes_back_no_further",
        says: "a crash takes back the start below several Eventual writes",
        load: |cx, id| {
            Box::pin(async move {
                let first = {
                    let noted = cx.noted();
                    let further = noted.crashed && noted.eventuals() > 1;
                    noted.log.first().filter(|_| further).map(|write| write.operation.clone())
                };
                if first.is_some() { Ok(first) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::crash_keeps_what_an_immediate_write_covers",
        says: "a crash takes back an end to the progress below it",
        load: |cx, id| {
            Box::pin(async move {
                let old = {
                    let noted = cx.noted();
                    let covers = noted.crashed
                        && noted.eventuals() > 0
                        && noted.last_write().is_some_and(|w| w.durability == Durability::Immediate);
                    if covers { noted.before_last(id) } else { None }
                };
                if old.is_some() { Ok(old) } else { cx.inner.load(id).await }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::crashed_store_is_whole",
        says: "a crash leaves a half record",
        verify: |cx| {
            Box::pin(async move {
                let mut report = cx.inner.verify().await?;
                if cx.noted().crashed {
                    report.problems.push("a half record".into());
                }
                Ok(report)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::store_has_one_name",
        says: "a store gets a new number with each open",
        opened: |cx| {
            let opened = cx.inner.opened();
            let opens = u64::from(cx.noted().opens);
            Opened::new(opened.store.wrapping_add(opens - 1), opened.instance, opened.exclusive)
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::instance_is_new_at_each_open",
        says: "from the third open on the first instance's number is given again",
        opened: |cx| {
            let opened = cx.inner.opened();
            let (opens, first) = {
                let n = cx.noted();
                (n.opens, n.instance)
            };
            Opened::new(opened.store, if opens > 2 { first } else { opened.instance }, opened.exclusive)
        },
        ..WHOLE
    },
    Flaw {
        breaks: "durability::instance_is_new_after_a_crash",
        says: "after a crash the crashed instance's number is given again",
        opened: |cx| {
            let opened = cx.inner.opened();
            let (crashed, first) = {
                let n = cx.noted();
                (n.crashed, n.instance)
            };
            Opened::new(opened.store, if crashed { first } else { opened.instance }, opened.exclusive)
        },
        ..WHOLE
    },
];
