//! Stores that do not give back what they were given.

use longrun::Operation;
use longrun::store::{StoreError, Swap};

use super::flaw::{Answer, Cx, Flaw, WHOLE};

/// Loads what does not fit as nothing.
fn without<'a>(
    cx: &'a Cx,
    id: &'a longrun::OperationId,
    lost: fn(&Operation) -> bool,
) -> Answer<'a, Option<Operation>> {
    Box::pin(async move { Ok(cx.inner.load(id).await?.filter(|found| !lost(found))) })
}

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "input::every_member_comes_back",
        says: "what tries something again is lost",
        load: |cx, id| without(cx, id, |found| found.retry_of().is_some()),
        ..WHOLE
    },
    Flaw {
        breaks: "input::names_come_back",
        says: "what has a type beyond ASCII is lost",
        load: |cx, id| without(cx, id, |found| found.type_name().is_some_and(|name| !name.is_ascii())),
        ..WHOLE
    },
    Flaw {
        breaks: "input::free_texts_come_back",
        says: "what has a control character in its detail is lost",
        load: |cx, id| without(cx, id, |found| found.detail().is_some_and(|text| text.contains(char::is_control))),
        ..WHOLE
    },
    Flaw {
        breaks: "input::json_comes_back_to_the_letter",
        says: "what has a number with a zero at its end is lost",
        load: |cx, id| {
            let spelt = |found: &Operation| found.result_json().is_some_and(|json| json.as_str().contains(".0"));
            without(cx, id, spelt)
        },
        ..WHOLE
    },
    Flaw {
        breaks: "input::times_come_back_to_the_tick",
        says: "what was made beyond UTC is lost",
        load: |cx, id| without(cx, id, |found| found.created().offset().local_minus_utc() != 0),
        ..WHOLE
    },
    Flaw {
        breaks: "input::times_are_ordered_to_the_tick",
        says: "pages are ordered by the microsecond",
        page: |cx, query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                if query.type_name.is_none()
                    && query.label.is_none()
                    && query.statuses.is_empty()
                    && !query.descending
                {
                    page.items.sort_by_key(|item| (item.stamps().created.ticks() / 10, item.id().clone()));
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "input::large_results_come_back",
        says: "results of a mebibyte are lost",
        load: |cx, id| {
            without(cx, id, |found| found.result_json().is_some_and(|json| json.as_str().len() >= 1 << 20))
        },
        ..WHOLE
    },
    Flaw {
        breaks: "input::many_labels_come_back",
        says: "what has 16 labels is lost",
        load: |cx, id| without(cx, id, |found| found.labels().len() == 16),
        ..WHOLE
    },
    Flaw {
        breaks: "input::ids_are_kept_apart",
        says: "ids that are a UUID in capitals are that UUID",
        load: |cx, id| {
            Box::pin(async move {
                let text = id.to_string();
                let lower = Some(text.to_lowercase().parse().unwrap()).filter(|_| text.len() == 36);
                cx.inner.load(lower.as_ref().unwrap_or(id)).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "input::types_are_bounded",
        says: "one type too many is said to be stored",
        swap: |cx, expected, next, durability| {
            Box::pin(async move {
                match cx.inner.swap(expected, next, durability).await {
                    Err(StoreError::TypeLimit) => Ok(Swap::Stored),
                    other => other,
                }
            })
        },
        ..WHOLE
    },
];
