//! Server-sent events: one operation as it changes, or the lossless feed of all.
//!
//! Nothing is read before the client takes it: a slow reader costs one record of memory and slows nobody.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use futures_core::Stream;
use serde_json::json;

use super::access::{Access, Action, Asked, Principal};
use super::entity::empty;
use super::fault::Fault;
use super::graph::Asking;
use super::media;
use super::route::Place;
use super::slots::Slot;
use crate::model::{Operation, OperationId};
use crate::tracker::{Change, Follow, Position, Watch, Watched};
use crate::wire::{self, Entity};

/// How often a quiet stream says that it lives.
const BEAT: Duration = Duration::from_secs(15);

/// Answers with a stream; `Last-Event-ID` goes on where another one ended.
pub(super) async fn stream(asking: &Asking<'_>) -> Result<Response, Fault> {
    let call = asking.call;
    let slot = call.face.slots.take(&call.principal.name)?;
    let last = call.parts.headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let source = if call.place == Place::EntityEvents {
        let seen = call.seen()?;
        if seen.is_terminal() && last == Some(&*seen.version().to_string()) {
            // An `EventSource` that comes again after the end is told to stop.
            return Ok(empty(StatusCode::NO_CONTENT));
        }
        let watch = call.tracker().watch(seen.id()).await?;
        Source::One { watch, last: last.map(Into::into), id: seen.id().clone() }
    } else {
        let position = match last {
            Some(text) => text.parse().map_err(|_| {
                let message = "`Last-Event-ID` is none that this stream gave";
                Fault::bad("invalidPosition", message).about("Last-Event-ID")
            })?,
            None if asking.options.latest => call.tracker().latest().await?,
            None => Position::START,
        };
        // A position that the feed no longer reaches back to is told before the stream begins.
        call.tracker().changes(&position, 1).await?;
        Source::All(call.tracker().follow(position))
    };
    let feed = Feed {
        source,
        access: call.face.access.clone(),
        principal: call.principal.clone(),
        action: call.action,
        headers: call.parts.headers.clone(),
        declared: asking.graph.declared.clone(),
        _slot: slot,
    };
    if call.parts.method == Method::HEAD {
        drop(feed);
        let mut response = empty(StatusCode::OK);
        response.headers_mut().insert(CONTENT_TYPE, media::EVENTS);
        return Ok(response);
    }
    let mut response = Response::new(Body::from_stream(Frames { next: Some(Box::pin(feed.next())) }));
    response.headers_mut().insert(CONTENT_TYPE, media::EVENTS);
    Ok(response)
}

enum Source {
    One { watch: Watch, last: Option<String>, id: OperationId },
    All(Follow),
}

/// What a stream needs after its request is gone.
struct Feed {
    source: Source,
    access: Access,
    principal: Principal,
    action: Action,
    headers: HeaderMap,
    declared: String,
    _slot: Slot,
}

/// One event of a stream.
enum Event {
    Changed { id: String, operation: Operation },
    Deleted { id: String, of: OperationId },
    Quiet,
}

impl Feed {
    /// The next frame and the feed after it; `None` at the end.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let event = loop {
            let event = self.event().await?;
            if self.is_news(&event) {
                break event;
            }
        };
        let record = match (&event, &self.source) {
            (Event::Changed { operation, .. }, Source::One { .. }) => Some(operation),
            _ => None,
        };
        let id = match &self.source {
            Source::One { id, .. } => Some(id),
            Source::All(_) => None,
        };
        let asked = Asked { method: &Method::GET, headers: &self.headers, id };
        let gone = matches!((&event, &self.source), (Event::Deleted { .. }, Source::One { .. }));
        if !gone {
            self.access.authorize(&self.principal, self.action, asked, record).await.ok()?;
        }
        Some((self.frame(&event).into(), self))
    }

    async fn event(&mut self) -> Option<Event> {
        match &mut self.source {
            Source::One { watch, id, .. } => match watch.next_within(BEAT).await? {
                None => Some(Event::Quiet),
                Some(watched) => Some(match watched.ok()? {
                    Watched::Updated(operation) => {
                        Event::Changed { id: operation.version().to_string(), operation }
                    }
                    Watched::Deleted => Event::Deleted { id: "deleted".to_owned(), of: id.clone() },
                }),
            },
            Source::All(follow) => {
                let changes = follow.next(1, BEAT).await.ok()?;
                let id = changes.next.to_string();
                Some(match changes.items.into_iter().next() {
                    Some(Change::Updated(operation)) => Event::Changed { id, operation },
                    Some(Change::Deleted { id: of, .. }) => Event::Deleted { id, of },
                    None => Event::Quiet,
                })
            }
        }
    }

    /// Whether the client does not know it yet.
    fn is_news(&mut self, event: &Event) -> bool {
        match (&mut self.source, event) {
            (Source::One { last, .. }, Event::Changed { id, .. }) => last.take().as_ref() != Some(id),
            _ => true,
        }
    }

    fn frame(&self, event: &Event) -> String {
        match event {
            Event::Changed { id, operation } => {
                let entity = Entity { declared: &self.declared, etag: true, ..Entity::new(operation) };
                format!("id: {id}\nevent: updated\ndata: {}\n\n", wire::to_json(&entity))
            }
            Event::Deleted { id, of } => {
                let data = json!({ "@odata.removed": { "reason": "deleted" }, "id": of });
                format!("id: {id}\nevent: deleted\ndata: {data}\n\n")
            }
            Event::Quiet => ":\n\n".to_owned(),
        }
    }
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Feed)>> + Send>>;

/// A feed as a body.
struct Frames {
    next: Option<Next>,
}

impl Stream for Frames {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let Some((bytes, feed)) = ready!(next.as_mut().poll(context)) else {
            self.next = None;
            return Poll::Ready(None);
        };
        self.next = Some(Box::pin(feed.next()));
        Poll::Ready(Some(Ok(bytes)))
    }
}
