//! One operation: get, wait, patch, delete, cancel, start (PROTOCOL A-G, J, e).

use axum::body::{Body, Bytes};
use axum::http::header::{ETAG, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::fault::Fault;
use super::graph::{Asking, json};
use super::head;
use super::prefer::Return;
use crate::error::{Error, ErrorKind, Result as Answer};
use crate::model::{Operation, Patch, Precondition, Rejection, Tags};
use crate::tracker::Patched;
use crate::wire::{self, Entity};

/// An operation as the answer to a request.
pub(super) fn shown(asking: &Asking<'_>, operation: &Operation, nulled: Option<&str>) -> Response {
    let (graph, call) = (asking.graph, asking.call);
    let context = format!("{}/$metadata#{}{}/$entity", call.root, graph.set, asking.options.selected());
    let entity = Entity {
        declared: &graph.declared,
        context: Some(&context),
        etag: true,
        select: asking.options.select.as_deref(),
        omit_nulls: asking.prefer.omit_nulls,
        nulled,
        ..Entity::new(operation)
    };
    let mut response = json(wire::to_json(&entity));
    let headers = response.headers_mut();
    insert(headers, ETAG, &operation.etag().to_string());
    if !operation.is_terminal() {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if asking.prefer.omit_nulls {
        applied(&mut response, "omit-values=nulls");
    }
    response
}

fn insert(headers: &mut axum::http::HeaderMap, name: HeaderName, value: &str) {
    // All values come from ids, tags and numbers: none can fail.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Says that a preference was applied.
pub(super) fn applied(response: &mut Response, preference: &str) {
    if let Ok(value) = HeaderValue::from_str(preference) {
        response.headers_mut().append(HeaderName::from_static("preference-applied"), value);
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Adds where an operation is.
pub(super) fn located(asking: &Asking<'_>, operation: &Operation, response: &mut Response) {
    let url = format!("{}/{}", asking.graph.set_url(asking.call), operation.id());
    insert(response.headers_mut(), LOCATION, &url);
    if response.status() == StatusCode::NO_CONTENT {
        insert(response.headers_mut(), HeaderName::from_static("odata-entityid"), &url);
    }
}

/// The answer to a change: the entity, or 204 where that was preferred.
pub(super) fn changed(asking: &Asking<'_>, operation: &Operation, nulled: Option<&str>) -> Response {
    // `$select` asks for a representation.
    let minimal = asking.prefer.returns == Some(Return::Minimal) && asking.options.select.is_none();
    let mut response = if minimal { empty(StatusCode::NO_CONTENT) } else { shown(asking, operation, nulled) };
    match asking.prefer.returns {
        Some(Return::Minimal) if minimal => applied(&mut response, "return=minimal"),
        Some(Return::Representation) => applied(&mut response, "return=representation"),
        _ => {}
    }
    response
}

pub(super) async fn get(asking: &Asking<'_>) -> Result<Response, Fault> {
    let call = asking.call;
    let precondition = head::precondition(&call.parts.headers)?;
    let mut operation = call.seen()?.clone();
    if let Some(bound) = asking.prefer.wait {
        let _slot = call.face.slots.take(&call.principal.name)?;
        let only = Precondition { if_none_match: precondition.if_none_match.clone(), ..Precondition::none() };
        let changed = |operation: &Operation| match only.if_none_match {
            Some(_) => only.check(Some(operation.version())).is_ok(),
            None => operation.is_terminal(),
        };
        operation = call.tracker().wait_until(call.id()?, bound, changed).await?;
        call.authorize(Some(&operation)).await?;
    }
    let matched = Precondition { if_match: precondition.if_match.clone(), ..Precondition::none() };
    matched
        .check(Some(operation.version()))
        .map_err(|unmet| Error::rejected(&Rejection::Precondition(unmet), Some(operation.clone())))?;
    let mut response = if precondition.check(Some(operation.version())).is_ok() {
        shown(asking, &operation, None)
    } else {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        insert(response.headers_mut(), ETAG, &operation.etag().to_string());
        response
    };
    if let Some(bound) = asking.prefer.wait {
        applied(&mut response, &format!("wait={}", bound.as_secs()));
    }
    Ok(response)
}

/// The conditions of a change; 428 where the mount wants one and there is none.
fn conditions(asking: &Asking<'_>) -> Result<Precondition, Fault> {
    let precondition = head::precondition(&asking.call.parts.headers)?;
    if asking.graph.needs_if_match && precondition.if_match.is_none() {
        let message = "this address changes nothing without `If-Match`";
        return Err(Fault::new(StatusCode::PRECONDITION_REQUIRED, "preconditionRequired", message));
    }
    Ok(precondition)
}

pub(super) async fn patch(asking: &Asking<'_>, body: Body) -> Result<Response, Fault> {
    let call = asking.call;
    let precondition = conditions(asking)?;
    let body = call.read(body).await?;
    let parsed = read(asking, &body);
    let told = parsed.as_ref().ok().cloned();
    let Patched { operation, before } =
        call.tracker().patch_parsed(call.id()?, Some(call.seen()?), &precondition, parsed).await?;
    let cleared = |operation: &Operation| operation.resource_location().is_none();
    let nulled = before.as_ref().is_some_and(|before| !cleared(before) && cleared(&operation));
    let mut response = changed(asking, &operation, nulled.then_some("resourceLocation"));
    let knows = precondition.if_match.is_some()
        && told.is_some_and(|told| adds_nothing(&told, before.as_ref(), &operation));
    if knows && response.status() == StatusCode::NO_CONTENT {
        insert(response.headers_mut(), ETAG, &operation.etag().to_string());
    }
    Ok(response)
}

/// Reads a PATCH; its own tag counts under OData 4.01 alone (PROTOCOL 82, 83).
fn read(asking: &Asking<'_>, body: &Bytes) -> Answer<Patch> {
    let wire::PatchBody { mut patch, etag } = wire::patch(body, &asking.graph.declared)?;
    if let Some(etag) = etag.filter(|_| asking.is_401) {
        let tags: Tags = etag.parse().map_err(|_| {
            let message = "`@odata.etag` must be an entity tag";
            Error::new(ErrorKind::Invalid, "malformedEntityTag", message).about("@odata.etag")
        })?;
        patch.body_match = Some(tags);
    }
    Ok(patch)
}

/// Whether the server added nothing of its own to what the client said (OData 9.1.4; PROTOCOL 88).
fn adds_nothing(told: &Patch, before: Option<&Operation>, after: &Operation) -> bool {
    let Some(before) = before else { return true };
    let stamp = after.stamps().last_action;
    let keeps_time = stamp == before.stamps().last_action || told.time == Some(stamp);
    keeps_time && before.status() == after.status()
}

pub(super) async fn delete(asking: &Asking<'_>) -> Result<Response, Fault> {
    let call = asking.call;
    let precondition = conditions(asking)?;
    call.tracker().delete_if(call.id()?, &precondition).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn cancel(asking: &Asking<'_>) -> Result<Response, Fault> {
    let call = asking.call;
    let precondition = head::precondition(&call.parts.headers)?;
    call.tracker().patch_parsed(call.id()?, Some(call.seen()?), &precondition, Ok(Patch::cancel())).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn start(asking: &Asking<'_>, body: Body) -> Result<Response, Fault> {
    let call = asking.call;
    let precondition = head::precondition(&call.parts.headers)?;
    let body = call.read(body).await?;
    let holder =
        wire::holder(&body).map(|holder| holder.unwrap_or_else(|| format!("http:{}", call.face.fresh_id())));
    let operation =
        call.tracker().claim_parsed(call.id()?, Some(call.seen()?), &precondition, holder.map(Into::into)).await?;
    Ok(changed(asking, &operation, None))
}
