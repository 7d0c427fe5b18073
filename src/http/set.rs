//! The entity set: list, count, create (PROTOCOL H, I).

use std::num::NonZeroU32;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::entity::{applied, changed, located};
use super::fault::Fault;
use super::graph::{Asking, json};
use super::{head, media, percent};
use crate::model::{Operation, Page, Query, Status};
use crate::tracker::Created;
use crate::wire::{self, Entity};

/// Operations under a label that a count looks at: each costs a read.
const COUNTED: usize = 10_000;

pub(super) async fn create(asking: &Asking<'_>, body: Body) -> Result<Response, Fault> {
    let call = asking.call;
    head::precondition(&call.parts.headers)?;
    let body = call.read(body).await?;
    let new = wire::new_operation(&body, &asking.graph.declared)?;
    let Created { operation, is_new } = call.tracker().create_new(new).await?;
    if !is_new {
        // Somebody else's operation is shown to nobody who may not see it.
        call.authorize(Some(&operation)).await?;
    }
    let mut response = changed(asking, &operation, None);
    if is_new && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::CREATED;
    }
    located(asking, &operation, &mut response);
    Ok(response)
}

pub(super) async fn list(asking: &Asking<'_>) -> Result<Response, Fault> {
    let (graph, call, options) = (asking.graph, asking.call, &asking.options);
    let count = if options.counts { Some(total(asking).await?) } else { None };
    let wanted = [options.top, asking.prefer.page_size.map(|(size, _)| size)].into_iter().flatten().min();
    let mut query = options.query.clone();
    let page = match NonZeroU32::new(wanted.map_or(query.limit.get(), |wanted| wanted.min(Query::MAX_LIMIT))) {
        Some(limit) => {
            query.limit = limit;
            call.tracker().page(&query).await?
        }
        None => Page::default(),
    };
    let next = page.next.as_ref().map(|token| {
        let again = options.again.iter().map(|(name, value)| format!("{name}={}", percent::encode(value)));
        let all: Vec<_> = again.chain([format!("$skiptoken={token}")]).collect();
        format!("{}?{}", graph.set_url(call), all.join("&"))
    });
    let context = format!("{}/$metadata#{}{}", call.root, graph.set, options.selected());
    let list = List { asking, context, count, next, page: &page };
    let mut response = json(wire::to_json(&list));
    if let Some((size, name)) = asking.prefer.page_size {
        applied(&mut response, &format!("{name}={}", size.min(Query::MAX_LIMIT)));
    }
    if asking.prefer.omit_nulls {
        applied(&mut response, "omit-values=nulls");
    }
    Ok(response)
}

struct List<'a> {
    asking: &'a Asking<'a>,
    context: String,
    count: Option<u64>,
    next: Option<String>,
    page: &'a Page,
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Items<'a>(&'a List<'a>);

        impl Serialize for Items<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let List { asking, page, .. } = self.0;
                let mut list = serializer.serialize_seq(Some(page.items.len()))?;
                for operation in &page.items {
                    list.serialize_element(&Entity {
                        declared: &asking.graph.declared,
                        etag: true,
                        select: asking.options.select.as_deref(),
                        omit_nulls: asking.prefer.omit_nulls,
                        ..Entity::new(operation)
                    })?;
                }
                list.end()
            }
        }

        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("@odata.context", &self.context)?;
        if let Some(count) = self.count {
            map.serialize_entry("@odata.count", &count)?;
        }
        if let Some(next) = &self.next {
            map.serialize_entry("@odata.nextLink", next)?;
        }
        // An annotation, which clients that do not know it pass over (OData 4.01, 4.6).
        if !self.page.unreadable.is_empty() {
            map.serialize_entry("@longrun.unreadable", &self.page.unreadable)?;
        }
        map.serialize_entry("value", &Items(self))?;
        map.end()
    }
}

pub(super) async fn count(asking: &Asking<'_>) -> Result<Response, Fault> {
    let mut response = Response::new(Body::from(total(asking).await?.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, media::TEXT);
    Ok(response)
}

/// How many operations the filter names, whatever the page.
async fn total(asking: &Asking<'_>) -> Result<u64, Fault> {
    let (tracker, query) = (asking.call.tracker(), &asking.options.query);
    let not_supported = |what: &str| {
        let message = format!("`$count` {what}");
        Fault::new(StatusCode::NOT_IMPLEMENTED, "queryOptionNotSupported", message).about("$count")
    };
    if query.from.is_some() || query.until.is_some() {
        return Err(not_supported("cannot be asked with a time range"));
    }
    let statuses = if query.statuses.is_empty() { Status::ALL.to_vec() } else { query.statuses.clone() };
    if query.label.is_none() {
        let counts = match &query.group {
            Some(group) => tracker.group_counts(group).await?,
            None => tracker.counts().await?,
        };
        let counted = counts.iter().filter(|(name, status, _)| {
            statuses.contains(status) && (query.type_name.is_none() || *name == query.type_name.as_deref())
        });
        return Ok(counted.map(|(_, _, count)| count).sum());
    }
    let limit = NonZeroU32::new(Query::MAX_LIMIT).unwrap_or(NonZeroU32::MIN);
    let mut query = Query { after: None, limit, ..query.clone() };
    let mut counted = 0_usize;
    loop {
        let page = tracker.page(&query).await?;
        counted = counted.saturating_add(page.items.len());
        if page.next.is_none() {
            return Ok(u64::try_from(counted).unwrap_or(u64::MAX));
        }
        if counted >= COUNTED {
            return Err(not_supported("of so many operations with a label is not supported"));
        }
        query.after = page.next;
    }
}
