//! Stores that count wrong.

use longrun::Operation;
use longrun::model::Status;
use longrun::store::Counts;

use super::flaw::{Flaw, WHOLE};

fn add(counts: &mut Counts, operation: Option<&Operation>) {
    if let Some(operation) = operation {
        counts.add(operation.type_name(), operation.status(), 1);
    }
}

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "counts::nothing_counts_nothing",
        says: "an empty store counts one",
        counts: |cx| {
            Box::pin(async move {
                let mut counts = cx.inner.counts().await?;
                if cx.noted().attempts == 0 && cx.noted().opens == 1 {
                    counts.add(None, Status::NotStarted, 1);
                }
                Ok(counts)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "counts::every_write_counts",
        says: "what has no type is not counted before the first close",
        counts: |cx| {
            Box::pin(async move {
                let counts = cx.inner.counts().await?;
                let mut typed = Counts::default();
                let all = cx.noted().opens > 1;
                for (name, status, count) in counts.iter().filter(|(name, ..)| all || name.is_some()) {
                    typed.add(name, status, count);
                }
                Ok(typed)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "counts::move_leaves_where_it_was",
        says: "the first count after a move has it at both places",
        counts: |cx| {
            Box::pin(async move {
                let mut counts = cx.inner.counts().await?;
                let noted = cx.noted();
                let cold = noted.reads == 0 && noted.attempts == 2 && noted.opens == 1;
                if let Some(last) = noted.last_write().filter(|last| cold && !last.removes) {
                    add(&mut counts, noted.before_last(last.operation.id()).as_ref());
                }
                Ok(counts)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "counts::removal_leaves_nothing",
        says: "the first count after a removal has what was removed",
        counts: |cx| {
            Box::pin(async move {
                let mut counts = cx.inner.counts().await?;
                let noted = cx.noted();
                if noted.reads == 0 && noted.opens == 1 {
                    add(&mut counts, noted.last_write().filter(|last| last.removes).map(|last| &last.operation));
                }
                Ok(counts)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "counts::lost_race_does_not_count",
        says: "what was lost is counted too",
        counts: |cx| {
            Box::pin(async move {
                let mut counts = cx.inner.counts().await?;
                add(&mut counts, cx.noted().lost.first());
                Ok(counts)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "counts::same_after_open",
        says: "after close and open one too many is counted",
        counts: |cx| {
            Box::pin(async move {
                let mut counts = cx.inner.counts().await?;
                if cx.noted().opens > 1 && !cx.noted().crashed {
                    counts.add(None, Status::Failed, 1);
                }
                Ok(counts)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "counts::exact_after_a_crash",
        says: "after a crash one too many is counted",
        counts: |cx| {
            Box::pin(async move {
                let mut counts = cx.inner.counts().await?;
                if cx.noted().crashed {
                    counts.add(None, Status::Failed, 1);
                }
                Ok(counts)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "counts::group_is_counted",
        says: "what has ended is not counted in its group before the first close",
        group_counts: |cx, group| {
            Box::pin(async move {
                let counts = cx.inner.group_counts(group).await?;
                let all = cx.noted().opens > 1;
                let mut alive = Counts::default();
                for (name, status, count) in counts.iter().filter(|(_, status, _)| all || !status.is_terminal()) {
                    alive.add(name, status, count);
                }
                Ok(alive)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "counts::group_counts_same_after_open",
        says: "after close and open no group is known",
        group_counts: |cx, group| {
            Box::pin(async move {
                if cx.noted().opens > 1 {
                    return Ok(Counts::default());
                }
                cx.inner.group_counts(group).await
            })
        },
        ..WHOLE
    },
];
