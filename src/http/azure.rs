//! The Azure face: a status monitor, as Azure's LRO pollers read it (PROTOCOL 10, 11, b-18, b-19).

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::access::{Access, Action};
use super::face::{Call, Face, Speaks};
use super::fault::Fault;
use super::media;
use super::projection::{self, reason};
use super::route::{self, Found, Methods, Place, Route};
use crate::model::{Failure, Operation, Patch, Precondition, Progress, Status};
use crate::tracker::Tracker;
use crate::wire;

/// Operations as a status monitor.
#[derive(Debug)]
#[must_use = "a face serves once it is merged into a router"]
pub struct Azure {
    face: Face,
}

/// An Azure status monitor at `/operations/{id}`; [`Azure::path`] chooses another.
pub fn azure(tracker: Tracker, access: Access) -> Azure {
    Azure { face: Face::new(tracker, access, "/operations") }
}

impl Azure {
    /// The path above the id, `/azure/operations`.
    pub fn path(mut self, path: impl AsRef<str>) -> Self {
        self.face.root = projection::root(path.as_ref());
        self
    }

    /// Every route, from the table that requests are routed by.
    pub fn routes(&self) -> Vec<Route> {
        let places = [(Place::Entity, "/{id}"), (Place::Cancel, "/{id}:cancel")];
        route::table(places.map(|(place, below)| (format!("{}{below}", self.face.root), methods(place))))
    }

    /// The router.
    pub fn router(self) -> Router {
        projection::router(self)
    }
}

impl From<Azure> for Router {
    fn from(azure: Azure) -> Self {
        azure.router()
    }
}

/// The answer of a service that started work: 202, and where to ask how it goes.
///
/// `monitor` is the absolute URL of the operation's status monitor.
///
/// ```
/// let response = longrun::http::accepted("https://jobs.example.com/azure/operations/7");
/// assert_eq!(response.status(), 202);
/// ```
pub fn accepted(monitor: impl AsRef<str>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    if let Ok(url) = HeaderValue::from_str(monitor.as_ref()) {
        headers.insert(HeaderName::from_static("operation-location"), url.clone());
        headers.insert(LOCATION, url);
    }
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

const fn methods(place: Place) -> Methods {
    match place {
        Place::Entity => &[("GET", Action::Get)],
        Place::Cancel => &[("POST", Action::Cancel)],
        _ => &[],
    }
}

impl Speaks for Azure {
    fn face(&self) -> &Face {
        &self.face
    }

    fn find(&self, segments: &[String]) -> Option<Found> {
        projection::find(segments).filter(|found| found.place != Place::Set)
    }

    fn methods(&self, place: Place) -> Methods {
        methods(place)
    }

    async fn answer(&self, call: &Call<'_>, _body: Body) -> Result<Response, Fault> {
        media::check_accept(&call.parts.headers, None, &media::PLAIN_JSON)?;
        let operation = match call.place {
            Place::Cancel => {
                let patched = call
                    .tracker()
                    .patch_parsed(call.id()?, Some(call.seen()?), &Precondition::none(), Ok(Patch::cancel()))
                    .await?;
                patched.operation
            }
            _ => call.seen()?.clone(),
        };
        let mut response = Response::new(Body::from(monitor(&operation).to_string()));
        if call.place == Place::Cancel {
            *response.status_mut() = StatusCode::ACCEPTED;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, media::PLAIN_JSON);
        if let Ok(tag) = HeaderValue::from_str(&operation.etag().to_string()) {
            headers.insert(ETAG, tag);
        }
        if let Ok(url) = HeaderValue::from_str(&format!("{}/{}", call.root, operation.id())) {
            headers.insert(HeaderName::from_static("operation-location"), url);
        }
        if !operation.is_terminal() {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Ok(response)
    }

    fn refuse(&self, fault: &Fault, inner: &[(&str, &str)]) -> (HeaderValue, String) {
        (media::PLAIN_JSON, wire::to_json(&fault.problem(inner)))
    }

    fn dress(&self, response: &mut Response) {
        let code = response.status().is_client_error() || response.status().is_server_error();
        if code {
            let status = response.status().as_u16();
            let value = HeaderValue::from_static(wire::phrase(status));
            response.headers_mut().insert(HeaderName::from_static("x-ms-error-code"), value);
        }
    }
}

/// The words that Azure's pollers know: `Completed` would be polled for ever.
fn word(operation: &Operation) -> &'static str {
    match operation.status() {
        Status::NotStarted => "NotStarted",
        Status::Running => "Running",
        Status::Completed => "Succeeded",
        Status::Failed if reason(operation).0 == Failure::CANCELLED => "Canceled",
        Status::Failed => "Failed",
    }
}

fn monitor(operation: &Operation) -> Value {
    let stamps = operation.stamps();
    let mut monitor = json!({
        "id": operation.id(),
        "status": word(operation),
        "createdDateTime": stamps.created.to_string(),
        "lastActionDateTime": stamps.last_action.to_string(),
    });
    let Value::Object(members) = &mut monitor else { return monitor };
    let mut set = |name: &str, value: Option<Value>| members.extend(value.map(|value| (name.to_owned(), value)));
    set("kind", operation.type_name().map(Into::into));
    set("percentComplete", operation.progress().map(Progress::percent).map(Into::into));
    set("startTime", stamps.started.map(|started| started.to_string().into()));
    if operation.is_terminal() {
        set("endTime", Some(stamps.last_action.to_string().into()));
    }
    if operation.status() == Status::Completed {
        set("result", operation.result_json().and_then(|result| result.to().ok()));
        set("resourceLocation", operation.resource_location().map(Into::into));
    }
    if operation.status() == Status::Failed {
        let (code, message) = reason(operation);
        set("error", Some(json!({ "code": code, "message": message })));
    }
    monitor
}
