//! Stores that find the wrong operations idle.

use std::time::Duration;

use longrun::Operation;
use longrun::model::{Status, holder};
use longrun::store::Idle;

use super::flaw::{Cx, Flaw, WHOLE};

/// What the store within finds, and those that fit.
async fn with(
    cx: &Cx,
    which: &Idle,
    fits: impl Fn(&Operation) -> bool,
) -> Result<Vec<longrun::OperationId>, longrun::store::StoreError> {
    let mut found = cx.inner.idle(which, None, 1_000.try_into().unwrap()).await?;
    for operation in cx.noted().all() {
        if fits(&operation) && !found.contains(operation.id()) {
            found.push(operation.id().clone());
        }
    }
    found.sort();
    Ok(found)
}

fn is_quiet(which: &Idle) -> bool {
    matches!(which, Idle::Quiet { .. })
}

fn is_orphaned(which: &Idle) -> bool {
    matches!(which, Idle::Orphaned)
}

fn is_due(which: &Idle) -> bool {
    matches!(which, Idle::Due { .. })
}

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "idle::quiet_is_found",
        says: "the only operation of a store is never quiet",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                if is_quiet(which) && cx.noted().all().len() == 1 {
                    return Ok(Vec::new());
                }
                cx.inner.idle(which, after, limit).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::fresh_is_not_quiet",
        says: "the only operation of a store is quiet after 20 seconds",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                match which {
                    Idle::Quiet { type_name, .. } if cx.noted().all().len() == 1 => {
                        let longer_than = Duration::from_secs(20);
                        let which = Idle::Quiet { type_name: type_name.clone(), longer_than };
                        cx.inner.idle(&which, after, limit).await
                    }
                    _ => cx.inner.idle(which, after, limit).await,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::every_write_is_a_sign_of_life",
        says: "an Eventual write is no sign of life",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                if after.is_some() || limit.get() < 100 {
                    return cx.inner.idle(which, after, limit).await;
                }
                let eventual = |operation: &Operation| {
                    let noted = cx.noted();
                    let last = noted.log.iter().rev().find(|write| write.operation.id() == operation.id());
                    last.is_some_and(|last| last.durability == longrun::store::Durability::Eventual)
                };
                let told: Vec<_> = cx.noted().all();
                let told: Vec<_> = told.into_iter().filter(eventual).map(|told| told.id().clone()).collect();
                with(cx, which, |operation| is_quiet(which) && told.contains(operation.id())).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::times_of_clients_do_not_count",
        says: "what acted last before 2025-07 is quiet",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                if after.is_some() || limit.get() < 100 {
                    return cx.inner.idle(which, after, limit).await;
                }
                let begin = "2025-07-01T00:00:00Z".parse::<longrun::model::Timestamp>().unwrap().ticks();
                let old = |operation: &Operation| operation.stamps().last_action.ticks() < begin;
                with(cx, which, |operation| is_quiet(which) && old(operation)).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::quiet_is_of_its_type",
        says: "asked for no type, all types are found",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                match which {
                    Idle::Quiet { type_name: None, .. } => {
                        with(cx, which, |operation| operation.status() == Status::Running).await
                    }
                    _ => cx.inner.idle(which, after, limit).await,
                }
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::only_what_runs_is_quiet",
        says: "what is not started is quiet too",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                if after.is_some() || limit.get() < 100 {
                    return cx.inner.idle(which, after, limit).await;
                }
                with(cx, which, |operation| is_quiet(which) && operation.status() == Status::NotStarted).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::cursor_goes_on",
        says: "every search begins at the first id",
        idle: |cx, which, _, limit| cx.inner.idle(which, None, limit),
        ..WHOLE
    },
    Flaw {
        breaks: "idle::orphans_of_a_closed_instance_are_found",
        says: "only one orphan is found at a time, whatever the limit",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                let mut found = cx.inner.idle(which, after, limit).await?;
                if is_orphaned(which) {
                    found.truncate(1);
                }
                Ok(found)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::orphans_of_a_crashed_instance_are_found",
        says: "orphans of a crash are not found",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                if cx.noted().crashed && is_orphaned(which) {
                    return Ok(Vec::new());
                }
                cx.inner.idle(which, after, limit).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::own_claims_are_no_orphans",
        says: "claims of the living instance are orphans",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                if !is_orphaned(which) {
                    return cx.inner.idle(which, after, limit).await;
                }
                let instance = cx.inner.opened().instance;
                let own = |operation: &Operation| {
                    operation.status() == Status::Running
                        && operation.holder().and_then(holder::instance) == Some(instance)
                };
                with(cx, which, own).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::remote_claims_are_no_orphans",
        says: "whatever no instance holds is an orphan",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                if !is_orphaned(which) {
                    return cx.inner.idle(which, after, limit).await;
                }
                let remote = |operation: &Operation| {
                    operation.status() == Status::Running && operation.holder().and_then(holder::instance).is_none()
                };
                with(cx, which, remote).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::ended_orphan_is_none",
        says: "an orphan that was ended stays one",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                if !is_orphaned(which) {
                    return cx.inner.idle(which, after, limit).await;
                }
                let ended = |operation: &Operation| operation.is_terminal() && operation.holder().is_some();
                with(cx, which, ended).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::due_is_found",
        says: "what was never started is not due",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                let mut found = cx.inner.idle(which, after, limit).await?;
                if is_due(which) {
                    let noted = cx.noted();
                    let started =
                        |id: &longrun::OperationId| noted.acked(id).is_some_and(|now| now.started().is_some());
                    found.retain(started);
                }
                Ok(found)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::only_what_lives_is_due",
        says: "what has ended stays due",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                let Idle::Due { until } = which else { return cx.inner.idle(which, after, limit).await };
                if after.is_some() || limit.get() < 100 {
                    return cx.inner.idle(which, after, limit).await;
                }
                let ended = |operation: &Operation| {
                    let deadline = operation.stamps().deadline;
                    operation.is_terminal() && deadline.is_some_and(|deadline| deadline.ticks() <= until.ticks())
                };
                with(cx, which, ended).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "idle::due_is_found_after_open",
        says: "after close and open no deadline is known",
        idle: |cx, which, after, limit| {
            Box::pin(async move {
                if is_due(which) && cx.noted().opens > 1 {
                    return Ok(Vec::new());
                }
                cx.inner.idle(which, after, limit).await
            })
        },
        ..WHOLE
    },
];
