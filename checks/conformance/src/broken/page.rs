//! Stores whose lists are wrong.

use std::num::NonZeroU32;

use longrun::Operation;
use longrun::model::{OrderBy, Page, Query};
use longrun::store::StoreError;

use super::flaw::{Cx, Flaw, WHOLE};

fn has_no_condition(query: &Query) -> bool {
    query.statuses.is_empty()
        && query.type_name.is_none()
        && query.label.is_none()
        && query.from.is_none()
        && query.until.is_none()
}

fn many(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

fn token(query: &Query, last: &Operation) -> longrun::model::PageToken {
    query.token(query.stamp(last).ticks(), last.id().clone())
}

/// Asks something else than was asked.
async fn instead(cx: &Cx, query: &Query, change: impl FnOnce(&mut Query)) -> Result<Page, StoreError> {
    let mut query = query.clone();
    change(&mut query);
    cx.inner.page(&query).await
}

pub(crate) const FLAWS: &[Flaw] = &[
    Flaw {
        breaks: "page::each_once_in_order",
        says: "a page of 1,000 is ordered by id",
        page: |cx, query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                if has_no_condition(query) && query.limit.get() == 1_000 && !query.descending {
                    page.items.sort_by(|a, b| a.id().cmp(b.id()));
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::pages_keep_their_bound",
        says: "a full first page of 10 has one more",
        page: |cx, query| {
            Box::pin(async move {
                if query.limit.get() == 10 && query.after.is_none() {
                    return instead(cx, query, |query| query.limit = many(11)).await;
                }
                cx.inner.page(query).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::last_page_has_no_token",
        says: "a last page that is full has a token",
        page: |cx, query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                if page.items.len() == usize::try_from(query.limit.get()).unwrap()
                    && let (None, Some(last)) = (&page.next, page.items.last())
                {
                    page.next = Some(token(query, last));
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::newest_first",
        says: "pages are in order backwards, their operations forwards",
        page: |cx, query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                if query.descending && has_no_condition(query) {
                    page.items.reverse();
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::ties_are_ordered_by_the_bytes_of_ids",
        says: "ids of one instant are ordered without regard to case",
        page: |cx, query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                let tie = page.items.windows(2).all(|two| matches!(two, [a, b] if a.created() == b.created()));
                if tie && has_no_condition(query) && !query.descending {
                    page.items.sort_by_key(|item| item.id().to_string().to_lowercase());
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::by_status",
        says: "of two statuses only the first is listed",
        page: |cx, query| {
            Box::pin(async move {
                if query.statuses.len() == 2 {
                    return instead(cx, query, |query| query.statuses.truncate(1)).await;
                }
                cx.inner.page(query).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::by_type",
        says: "a type that nothing has lists everything",
        page: |cx, query| {
            Box::pin(async move {
                let page = cx.inner.page(query).await?;
                let nothing = page.items.is_empty() && query.after.is_none();
                if nothing && query.type_name.is_some() && query.label.is_none() {
                    return instead(cx, query, |query| query.type_name = None).await;
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::by_label",
        says: "a label that nothing has lists everything",
        page: |cx, query| {
            Box::pin(async move {
                let page = cx.inner.page(query).await?;
                let nothing = page.items.is_empty() && query.after.is_none();
                if nothing && query.label.is_some() && query.type_name.is_none() {
                    return instead(cx, query, |query| query.label = None).await;
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::by_group",
        says: "a list by group alone has all groups",
        page: |cx, query| {
            Box::pin(async move {
                if query.group.is_some() && query.statuses.is_empty() {
                    return instead(cx, query, |query| query.group = None).await;
                }
                cx.inner.page(query).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::by_base",
        says: "the first attempt is none",
        page: |cx, query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                page.items.retain(|item| query.base.as_ref() != Some(item.id()));
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::by_instant",
        says: "an empty stretch of time has its first instant",
        page: |cx, query| {
            Box::pin(async move {
                if query.from.is_some() && query.from == query.until {
                    return instead(cx, query, |query| query.until = None).await;
                }
                cx.inner.page(query).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::by_all_conditions_at_once",
        says: "with a label the first instant is not looked at",
        page: |cx, query| {
            Box::pin(async move {
                if query.label.is_some() && query.from.is_some() {
                    return instead(cx, query, |query| query.from = None).await;
                }
                cx.inner.page(query).await
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::by_end",
        says: "a list by end, newest first, is by creation within its pages",
        page: |cx, query| {
            Box::pin(async move {
                let mut page = cx.inner.page(query).await?;
                if query.order == OrderBy::LastAction && query.descending {
                    page.items.sort_by_key(Operation::created);
                }
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::nothing_is_skipped_or_doubled_beside_writers",
        says: "a token counts operations, it does not name one",
        page: |cx, query| {
            Box::pin(async move {
                let all = instead(cx, query, |query| (query.after, query.limit) = (None, many(1_000))).await?;
                if !all.unreadable.is_empty() {
                    return cx.inner.page(query).await;
                }
                let all = all.items;
                let mut noted = cx.noted();
                let offset = if query.after.is_none() { 0 } else { noted.paged };
                let limit = usize::try_from(query.limit.get()).unwrap();
                let items: Vec<_> = all.iter().skip(offset).take(limit).cloned().collect();
                noted.paged = offset + items.len();
                let next = items.last().filter(|_| noted.paged < all.len()).map(|last| token(query, last));
                Ok(Page::new(items, next))
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::token_outlives_its_store",
        says: "a token of an earlier open begins the list anew",
        page: |cx, query| {
            Box::pin(async move {
                let opens = cx.noted().opens;
                let old =
                    query.after.as_ref().is_some_and(|after| !cx.noted().tokens.contains(&(opens, after.clone())));
                let page = if old {
                    instead(cx, query, |query| query.after = None).await?
                } else {
                    cx.inner.page(query).await?
                };
                cx.noted().tokens.extend(page.next.clone().map(|next| (opens, next)));
                Ok(page)
            })
        },
        ..WHOLE
    },
    Flaw {
        breaks: "page::types_and_labels_do_not_blend",
        says: "space at the end of a label's value is not looked at",
        page: |cx, query| {
            Box::pin(async move {
                instead(cx, query, |query| {
                    if let Some((_, value)) = &mut query.label {
                        value.truncate(value.trim_end().len());
                    }
                })
                .await
            })
        },
        ..WHOLE
    },
];
