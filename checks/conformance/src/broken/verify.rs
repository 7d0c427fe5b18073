//! Stores that do not find what is wrong, or find what is not.

use longrun::store::StoreError;

use super::flaw::{Flaw, WHOLE};

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "verify::healthy_store_has_no_problems",
        says: "what a removal leaves is taken for damage",
        verify: |cx| {
            Box::pin(async move {
                let mut report = cx.inner.verify().await?;
                if !cx.noted().crashed && cx.noted().log.iter().any(|write| write.removes) {
                    report.problems.push("a record without an operation".into());
                }
                Ok(report)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "verify::every_record_is_read",
        says: "nothing is read",
        verify: |cx| {
            Box::pin(async move {
                let mut report = cx.inner.verify().await?;
                report.records = 0;
                Ok(report)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "verify::damage_is_named",
        says: "no damage is reported",
        verify: |cx| {
            Box::pin(async move {
                let mut report = cx.inner.verify().await?;
                report.problems.clear();
                Ok(report)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "verify::damage_hides_nothing_else",
        says: "a spoilt record is left out in silence",
        page: |cx, query| Box::pin(async move { Ok(cx.inner.page(query).await?.without(Vec::new())) }),
        ..WHOLE
    },
    Flaw {
        breaks: "verify::damage_is_never_shown",
        says: "a spoilt record is loaded as nothing",
        load: |cx, id| {
            Box::pin(async move {
                match cx.inner.load(id).await {
                    Err(StoreError::Corrupt(_)) => Ok(None),
                    other => other,
                }
            })
        },
        ..WHOLE
    },
];
