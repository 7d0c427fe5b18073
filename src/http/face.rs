//! What every face does around its own words: the first checks in their order, ids of requests, the headers
//! that all answers have (PROTOCOL b, 3, 12, 13, 18, 115).

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, Request};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use futures_core::Stream;

use super::access::{Access, Action, Asked, Permission, Principal};
use super::fault::Fault;
use super::route::{self, Found, Methods, Place};
use super::slots::Slots;
use super::{head, media, percent};
use crate::model::{Operation, OperationId, Timestamp};
use crate::tracker::{IdSource, SystemIds, Tracker};

/// Bytes of a body at most; beyond it 413.
const BODY_LIMIT: usize = 128 * 1024;
/// Bytes of a body too large that are read and thrown away, so that the client gets to read the answer.
const DRAIN_LIMIT: usize = 4 * 1024 * 1024;

/// What a face is made of, whatever it speaks.
#[derive(Debug)]
pub(super) struct Face {
    pub(super) tracker: Tracker,
    pub(super) access: Access,
    /// Where the mount's root begins: `/v1.0`, without a slash at the end; may have `{parameters}`.
    pub(super) root: String,
    pub(super) base_url: Option<String>,
    pub(super) slots: Arc<Slots>,
    ids: SystemIds,
}

impl Face {
    pub(super) fn new(tracker: Tracker, access: Access, root: impl Into<String>) -> Self {
        Self {
            tracker,
            access,
            root: root.into(),
            base_url: None,
            slots: Slots::new(20_000, 10_000),
            ids: SystemIds::default(),
        }
    }

    /// An id that was not there before.
    pub(super) fn fresh_id(&self) -> String {
        self.ids.id().to_string()
    }
}

/// A face's own words.
pub(super) trait Speaks: Send + Sync + 'static {
    fn face(&self) -> &Face;

    /// What the segments of an address below the root name.
    fn find(&self, segments: &[String]) -> Option<Found>;

    fn methods(&self, place: Place) -> Methods;

    /// Answers a call that may be made.
    fn answer(&self, call: &Call<'_>, body: Body) -> impl Future<Output = Result<Response, Fault>> + Send;

    /// A refusal's body and its media type.
    fn refuse(&self, fault: &Fault, inner: &[(&str, &str)]) -> (HeaderValue, String);

    /// What else every answer has.
    fn dress(&self, response: &mut Response);
}

/// A request that passed the first checks.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) face: &'a Face,
    pub(super) parts: &'a Parts,
    /// Scheme, host and path of the mount's root.
    pub(super) root: String,
    pub(super) principal: Principal,
    pub(super) place: Place,
    pub(super) action: Action,
    id: Option<OperationId>,
    /// The operation as it was when access to it was decided.
    seen: Option<Operation>,
}

impl Call<'_> {
    pub(super) fn tracker(&self) -> &Tracker {
        &self.face.tracker
    }

    pub(super) fn asked(&self) -> Asked<'_> {
        Asked { method: &self.parts.method, headers: &self.parts.headers, id: self.id.as_ref() }
    }

    /// The id in the address.
    pub(super) fn id(&self) -> Result<&OperationId, Fault> {
        self.id.as_ref().ok_or_else(Fault::not_found)
    }

    /// The operation as it was when access to it was decided.
    pub(super) fn seen(&self) -> Result<&Operation, Fault> {
        self.seen.as_ref().ok_or_else(Fault::not_found)
    }

    /// Asks the host again, about the record as it is now.
    pub(super) async fn authorize(&self, operation: Option<&Operation>) -> Result<(), Fault> {
        self.face.access.authorize(&self.principal, self.action, self.asked(), operation).await
    }

    /// The whole body, at most 128 KiB of it.
    pub(super) async fn read(&self, body: Body) -> Result<Bytes, Fault> {
        let told = self.parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut stream = pin!(body.into_data_stream());
        let (mut kept, mut length) = (Vec::new(), 0_usize);
        let is_too_large = told.is_some_and(|told: u64| told > BODY_LIMIT as u64);
        while let Some(chunk) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            let chunk = chunk.map_err(|error| broken(&error))?;
            length = length.saturating_add(chunk.len());
            if is_too_large || length > BODY_LIMIT {
                kept = Vec::new();
                if length > DRAIN_LIMIT {
                    break;
                }
            } else {
                kept.extend_from_slice(&chunk);
            }
        }
        if is_too_large || length > BODY_LIMIT {
            let message = format!("the body must have at most {BODY_LIMIT} bytes");
            return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "contentTooLarge", message));
        }
        Ok(kept.into())
    }
}

/// A body that broke off: too slow, or no body at all.
fn broken(error: &axum::Error) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let timed_out = |error: &std::io::Error| error.kind() == std::io::ErrorKind::TimedOut;
        if error.downcast_ref::<std::io::Error>().is_some_and(timed_out) {
            return Fault::new(StatusCode::REQUEST_TIMEOUT, "requestTimeout", "the body came too slowly");
        }
        cause = error.source();
    }
    Fault::bad("malformedBody", "the body broke off")
}

/// Serves one request.
pub(super) async fn handle<S: Speaks>(speaker: Arc<S>, request: Request) -> Response {
    let face = speaker.face();
    let (parts, body) = request.into_parts();
    let request_id = face.fresh_id();
    let client_id = head::client_request_id(&parts.headers)
        .map(|given| given.cloned().unwrap_or_else(|_| header_of(&request_id)));
    // The host's hook may panic: that ends this request and nothing else.
    let answered = caught(serve(&*speaker, &parts, body)).await.unwrap_or_else(|| Err(Fault::internal()));
    let mut response = match answered {
        Ok(response) => response,
        Err(fault) => {
            let date = Timestamp::try_from(face.tracker.clock().now()).map(|date| date.to_string());
            let mut inner = vec![("date", date.as_deref().unwrap_or_default()), ("request-id", &*request_id)];
            if let Some(Ok(client_id)) = client_id.as_ref().map(HeaderValue::to_str) {
                inner.push(("client-request-id", client_id));
            }
            let (media_type, text) = speaker.refuse(&fault, &inner);
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = fault.status();
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, media_type);
            headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static("en"));
            headers.extend(fault.headers().iter().cloned());
            response
        }
    };
    speaker.dress(&mut response);
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("request-id"), header_of(&request_id));
    if let Some(client_id) = client_id {
        headers.insert(HeaderName::from_static("client-request-id"), client_id);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn header_of(request_id: &str) -> HeaderValue {
    HeaderValue::from_str(request_id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// The answer of a future, or `None` if it panics.
async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// The first checks, in the order of PROTOCOL (b): Host, access, path, method, id.
async fn serve<S: Speaks>(speaker: &S, parts: &Parts, body: Body) -> Result<Response, Fault> {
    let face = speaker.face();
    let host = head::host(parts)?;
    let address = Address::read(face, parts)?;
    let found = address.segments.as_deref().and_then(|segments| speaker.find(segments));
    let id: Option<OperationId> = found.as_ref().and_then(|found| found.id.as_deref()?.parse().ok());
    let asked = Asked { method: &parts.method, headers: &parts.headers, id: id.as_ref() };
    let principal = face.access.authenticate(asked).await?;
    let methods = found.as_ref().map(|found| speaker.methods(found.place));
    let action = methods.and_then(|methods| route::action(methods, &parts.method));
    Access::permit(&principal, action.map_or(Permission::Read, Action::permission))?;
    if address.segments.is_none() {
        return Err(Fault::bad("malformedPath", "the path must be percent-encoded UTF-8"));
    }
    let (Some(found), Some(methods)) = (found, methods) else { return Err(Fault::not_found()) };
    let Some(action) = action else { return Err(Fault::method(&route::allow(methods))) };
    let origin = face.base_url.clone().unwrap_or_else(|| format!("http://{host}"));
    let root = format!("{origin}{}", address.root);
    let seen = match (&id, &found.id) {
        (Some(id), _) => Some(face.tracker.get(id).await?),
        (None, Some(text)) => return Err(unknown(text)),
        (None, None) => None,
    };
    let call = Call { face, parts, root, principal, place: found.place, action, id, seen };
    call.authorize(call.seen.as_ref()).await?;
    if parts.method == Method::OPTIONS {
        return Ok(options(methods));
    }
    speaker.answer(&call, body).await
}

/// No operation can have this name.
fn unknown(name: &str) -> Fault {
    let message = format!("there is no operation {}", name.escape_debug());
    Fault::new(StatusCode::NOT_FOUND, "operationNotFound", message)
}

fn options(methods: Methods) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(&route::allow(methods)) {
        response.headers_mut().insert(ALLOW, allow);
    }
    if methods.iter().any(|(method, _)| *method == "PATCH") {
        response.headers_mut().insert(media::ACCEPT_PATCH, media::PATCHES);
    }
    response
}

/// A path, taken apart at the mount's root.
struct Address {
    /// The path up to and with the root, as it was asked for.
    root: String,
    /// The decoded segments below it; `None` if they cannot be decoded.
    segments: Option<Vec<String>>,
}

impl Address {
    fn read(face: &Face, parts: &Parts) -> Result<Self, Fault> {
        let path = parts.uri.path();
        let depth = face.root.matches('/').count();
        let end = path.match_indices('/').nth(depth).map_or(path.len(), |(at, _)| at);
        let below = path.get(end..).unwrap_or_default();
        let original = parts.extensions.get::<OriginalUri>().map_or(path, |original| original.0.path());
        // A router that this one is nested in has cut its own part off the front.
        let root = original.strip_suffix(below).ok_or_else(Fault::not_found)?;
        let segments = below.split('/').skip(1).map(percent::decode).collect::<Option<Vec<_>>>();
        let segments = segments.map(|segments| if *segments == [""] { Vec::new() } else { segments });
        Ok(Self { root: root.to_owned(), segments })
    }
}
