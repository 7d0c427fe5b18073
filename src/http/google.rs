//! The Google face: `google.longrunning` over REST, as google-api-core's operations client reads it
//! (PROTOCOL b-19, d). Its reader is strict: no member that protobuf does not declare.

use std::num::NonZeroU32;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::access::{Access, Action};
use super::face::{Call, Face, Speaks};
use super::fault::Fault;
use super::media;
use super::projection::{self, parameter, reason};
use super::route::{self, Found, Methods, Place, Route};
use crate::error::{Error, ErrorKind};
use crate::model::{Failure, Operation, PageToken, Patch, Precondition, Progress, Query, Status};
use crate::tracker::Tracker;

/// Operations as `google.longrunning.Operation`.
#[derive(Debug)]
#[must_use = "a face serves once it is merged into a router"]
pub struct Google {
    face: Face,
}

/// A `google.longrunning` face at `/v1/operations`; [`Google::path`] chooses another.
pub fn google(tracker: Tracker, access: Access) -> Google {
    Google { face: Face::new(tracker, access, "/v1/operations") }
}

impl Google {
    /// The path of the collection, `/v1/longrun/operations`. Names of operations are what follows its first
    /// segment, the version.
    pub fn path(mut self, path: impl AsRef<str>) -> Self {
        self.face.root = projection::root(path.as_ref());
        self
    }

    /// Every route, from the table that requests are routed by.
    pub fn routes(&self) -> Vec<Route> {
        let places = [(Place::Set, ""), (Place::Entity, "/{id}"), (Place::Cancel, "/{id}:cancel")];
        route::table(places.map(|(place, below)| (format!("{}{below}", self.face.root), methods(place))))
    }

    /// The router.
    pub fn router(self) -> Router {
        projection::router(self)
    }

    fn name(&self, operation: &Operation) -> String {
        let below = self.face.root.trim_start_matches('/').split_once('/').map_or("operations", |(_, below)| below);
        format!("{below}/{}", operation.id())
    }

    fn shown(&self, operation: &Operation) -> Value {
        let mut metadata = json!({
            "status": operation.status().as_str(),
            "createTime": operation.stamps().created.to_string(),
            "updateTime": operation.stamps().last_action.to_string(),
        });
        if let Value::Object(members) = &mut metadata {
            let mut set =
                |name: &str, value: Option<Value>| members.extend(value.map(|value| (name.to_owned(), value)));
            set("type", operation.type_name().map(Into::into));
            set("progressPercent", operation.progress().map(Progress::percent).map(Into::into));
            set("statusDetail", operation.detail().map(Into::into));
            set("resourceLocation", operation.resource_location().map(Into::into));
        }
        let metadata = any("google.protobuf.Struct", &metadata);
        let mut shown = json!({ "name": self.name(operation), "metadata": metadata });
        let Value::Object(members) = &mut shown else { return shown };
        if operation.is_terminal() {
            members.insert("done".into(), true.into());
        }
        match operation.status() {
            Status::Completed => {
                let result = operation.result_json().and_then(|result| result.to().ok()).unwrap_or(Value::Null);
                members.insert("response".into(), any("google.protobuf.Value", &result));
            }
            Status::Failed => {
                let (code, message) = reason(operation);
                members.insert("error".into(), json!({ "code": number(code), "message": message }));
            }
            Status::NotStarted | Status::Running => {}
        }
        shown
    }

    async fn list(&self, call: &Call<'_>) -> Result<Value, Fault> {
        let query = call.parts.uri.query();
        let invalid = |name: &'static str, rule: &str| {
            Fault::bad("invalidQueryOption", format!("`{name}` {rule}")).about(name)
        };
        if parameter(query, "filter")?.is_some_and(|filter| !filter.is_empty()) {
            return Err(Fault::new(StatusCode::NOT_IMPLEMENTED, "filterNotSupported", "`filter` is not supported"));
        }
        let mut wanted = Query::default();
        if let Some(size) = parameter(query, "pageSize")? {
            let size: u32 = size.parse().map_err(|_| invalid("pageSize", "must be a whole number"))?;
            // 0 is protobuf's way to leave it out.
            wanted.limit = NonZeroU32::new(size.min(Query::MAX_LIMIT)).unwrap_or(wanted.limit);
        }
        if let Some(token) = parameter(query, "pageToken")?.filter(|token| !token.is_empty()) {
            let token: PageToken =
                token.parse().map_err(|_| invalid("pageToken", "is none that this list gave"))?;
            wanted.after = Some(token);
        }
        let page = call.tracker().page(&wanted).await?;
        let operations: Vec<_> = page.items.iter().map(|operation| self.shown(operation)).collect();
        let mut list = json!({ "operations": operations });
        if let (Some(next), Value::Object(list)) = (page.next, &mut list) {
            list.insert("nextPageToken".into(), next.to_string().into());
        }
        Ok(list)
    }
}

impl From<Google> for Router {
    fn from(google: Google) -> Self {
        google.router()
    }
}

/// A value inside `google.protobuf.Any`.
fn any(name: &str, value: &Value) -> Value {
    json!({ "@type": format!("type.googleapis.com/{name}"), "value": value })
}

/// The number of `google.rpc.Code` for a code of ours.
fn number(code: &str) -> u8 {
    match code {
        Failure::CANCELLED => 1,
        Failure::TIMEOUT | Failure::DEADLINE_EXCEEDED => 4,
        Failure::ABANDONED | Failure::INTERRUPTED | Failure::ORPHANED | Failure::STALLED => 10,
        Failure::PANICKED => 13,
        _ => 2,
    }
}

const fn methods(place: Place) -> Methods {
    match place {
        Place::Set => &[("GET", Action::List)],
        Place::Entity => &[("GET", Action::Get), ("DELETE", Action::Delete)],
        Place::Cancel => &[("POST", Action::Cancel)],
        _ => &[],
    }
}

impl Speaks for Google {
    fn face(&self) -> &Face {
        &self.face
    }

    fn find(&self, segments: &[String]) -> Option<Found> {
        projection::find(segments)
    }

    fn methods(&self, place: Place) -> Methods {
        methods(place)
    }

    async fn answer(&self, call: &Call<'_>, _body: Body) -> Result<Response, Fault> {
        media::check_accept(&call.parts.headers, None, &media::PLAIN_JSON)?;
        let body = match call.action {
            Action::List => self.list(call).await?,
            Action::Cancel => {
                let asked = call
                    .tracker()
                    .patch_parsed(call.id()?, Some(call.seen()?), &Precondition::none(), Ok(Patch::cancel()))
                    .await;
                asked.map_err(failed_precondition)?;
                json!({})
            }
            Action::Delete => {
                let deleted = call.tracker().delete_if(call.id()?, &Precondition::none()).await;
                deleted.map_err(failed_precondition)?;
                json!({})
            }
            _ => self.shown(call.seen()?),
        };
        let mut response = Response::new(Body::from(body.to_string()));
        response.headers_mut().insert(CONTENT_TYPE, media::PLAIN_JSON);
        Ok(response)
    }

    fn refuse(&self, fault: &Fault, _inner: &[(&str, &str)]) -> (HeaderValue, String) {
        let status = fault.status();
        let name = match (status.as_u16(), fault.code()) {
            (400, FAILED_PRECONDITION) => "FAILED_PRECONDITION",
            (400, _) => "INVALID_ARGUMENT",
            (401, _) => "UNAUTHENTICATED",
            (403, _) => "PERMISSION_DENIED",
            (404, _) => "NOT_FOUND",
            (409, _) => "ABORTED",
            (429, _) => "RESOURCE_EXHAUSTED",
            (405 | 501, _) => "UNIMPLEMENTED",
            (503, _) => "UNAVAILABLE",
            (500, _) => "INTERNAL",
            _ => "UNKNOWN",
        };
        let error = json!({ "code": status.as_u16(), "message": fault.message(), "status": name });
        (media::PLAIN_JSON, json!({ "error": error }).to_string())
    }

    fn dress(&self, _response: &mut Response) {}
}

const FAILED_PRECONDITION: &str = "failedPrecondition";

/// What the operation's state refuses is 400 `FAILED_PRECONDITION` here.
fn failed_precondition(error: Error) -> Fault {
    match error.kind() {
        ErrorKind::Terminal | ErrorKind::Conflict => Fault::bad(FAILED_PRECONDITION, error.to_string()),
        _ => error.into(),
    }
}
