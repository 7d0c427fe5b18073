//! The Graph face: one entity set of operations and what belongs to it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use axum::routing::any;

use super::access::{Access, Action};
use super::face::{Call, Face, Speaks, handle};
use super::fault::Fault;
use super::media::{self, Takes};
use super::options::{self, Asks, Options};
use super::prefer::Prefer;
use super::route::{self, Found, Methods, Place, Route};
use super::slots::Slots;
use super::{entity, events, head, metadata, openapi, set};
use crate::tracker::Tracker;
use crate::wire;

/// The places of this face, each with its address below the set's parent.
const PLACES: [(Place, &str); 10] = [
    (Place::Service, ""),
    (Place::Metadata, "/$metadata"),
    (Place::OpenApi, "/openapi.json"),
    (Place::Set, "/{set}"),
    (Place::Count, "/{set}/$count"),
    (Place::SetEvents, "/{set}/events"),
    (Place::Entity, "/{set}/{id}"),
    (Place::EntityEvents, "/{set}/{id}/events"),
    (Place::Cancel, "/{set}/{id}/cancel"),
    (Place::Start, "/{set}/{id}/start"),
];

const fn methods(place: Place) -> Methods {
    match place {
        Place::Set => &[("GET", Action::List), ("POST", Action::Create)],
        Place::Count => &[("GET", Action::Count)],
        Place::SetEvents => &[("GET", Action::WatchAll)],
        Place::Entity => &[("GET", Action::Get), ("PATCH", Action::Patch), ("DELETE", Action::Delete)],
        Place::EntityEvents => &[("GET", Action::Watch)],
        Place::Cancel => &[("POST", Action::Cancel)],
        Place::Start => &[("POST", Action::Start)],
        Place::Service | Place::Metadata | Place::OpenApi | Place::Counters => &[("GET", Action::Describe)],
    }
}

/// Operations over HTTP as Microsoft Graph's clients speak it, to be merged into any axum router.
///
/// The set's path has a parent, the service root, which this face takes whole: two sets need two parents.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use longrun::http::{self, Access};
/// let tracker = longrun::Tracker::builder().in_memory().await?;
/// let app: axum::Router = axum::Router::new()
///     .merge(http::graph(tracker.clone(), Access::open()).path("/v1.0/operations"))
///     .merge(http::graph(tracker, Access::open()).path("/v1.0/me/onenote/operations").declared_type(http::ONENOTE_OPERATION));
/// # let _ = app;
/// # longrun::Result::<()>::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a face serves once it is merged into a router"]
pub struct Graph {
    pub(super) face: Face,
    pub(super) set: String,
    pub(super) declared: String,
    pub(super) needs_if_match: bool,
}

/// A Graph face at `/operations`; see [`Graph`] for what else can be chosen.
pub fn graph(tracker: Tracker, access: Access) -> Graph {
    Graph {
        face: Face::new(tracker, access, ""),
        set: "operations".to_owned(),
        declared: wire::OPERATION.to_owned(),
        needs_if_match: false,
    }
}

impl Graph {
    /// The path of the entity set, `/v1.0/operations`. May have axum's `{parameters}`.
    pub fn path(mut self, path: impl AsRef<str>) -> Self {
        let path = path.as_ref().trim_matches('/');
        let (root, set) = path.rsplit_once('/').unwrap_or(("", path));
        self.face.root = if root.is_empty() { String::new() } else { format!("/{root}") };
        set.clone_into(&mut self.set);
        self
    }

    /// The type that entities are declared to have; [`wire::OPERATION`] by default.
    pub fn declared_type(mut self, name: impl Into<String>) -> Self {
        self.declared = name.into();
        self
    }

    /// Scheme and host of links, `https://jobs.example.com`, where a proxy stands before this server. Without
    /// it they come from the request's Host, with `http`.
    pub fn base_url(mut self, url: impl AsRef<str>) -> Self {
        self.face.base_url = Some(url.as_ref().trim_end_matches('/').to_owned());
        self
    }

    /// Refuses PATCH and DELETE without `If-Match`: 428.
    pub fn require_if_match(mut self) -> Self {
        self.needs_if_match = true;
        self
    }

    /// How many long polls and event streams there may be at once: in all, and of one principal.
    pub fn watchers(mut self, total: usize, each: usize) -> Self {
        self.face.slots = Slots::new(total, each);
        self
    }

    /// Every route, from the table that requests are routed by.
    pub fn routes(&self) -> Vec<Route> {
        let place = |(place, template): (Place, &str)| {
            let template = template.replace("{set}", &self.set);
            (format!("{}{template}", self.face.root), methods(place))
        };
        route::table(PLACES.into_iter().map(place))
    }

    /// The router.
    pub fn router(self) -> Router {
        let root = self.face.root.clone();
        let graph = Arc::new(self);
        let serve = any(move |request: Request| handle(Arc::clone(&graph), request));
        let mut router = Router::new();
        if !root.is_empty() {
            router = router.route(&root, serve.clone());
        }
        router.route(&format!("{root}/"), serve.clone()).route(&format!("{root}/{{*below}}"), serve)
    }

    /// The URL of the entity set.
    pub(super) fn set_url(&self, call: &Call<'_>) -> String {
        format!("{}/{}", call.root, self.set)
    }

    /// Version, `Accept` and query options, in this order; whether the request speaks OData 4.01.
    fn check(call: &Call<'_>, asks: Asks, answer: Option<&HeaderValue>) -> Result<(Options, bool), Fault> {
        let headers = &call.parts.headers;
        let is_401 = head::odata_version(headers)?;
        let options = options::read(call.parts.uri.query(), asks);
        if let Some(answer) = answer {
            let format = options.as_ref().ok().and_then(|options| options.format.as_deref());
            media::check_accept(headers, format, answer)?;
        }
        Ok((options?, is_401))
    }
}

/// A request on the entity set, its headers and options read.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    pub(super) graph: &'a Graph,
    pub(super) call: &'a Call<'a>,
    pub(super) options: Options,
    pub(super) prefer: Prefer,
    pub(super) is_401: bool,
}

impl From<Graph> for Router {
    fn from(graph: Graph) -> Self {
        graph.router()
    }
}

impl Speaks for Graph {
    fn face(&self) -> &Face {
        &self.face
    }

    fn find(&self, segments: &[String]) -> Option<Found> {
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        Some(match &*segments {
            [] => Found::at(Place::Service),
            ["$metadata"] => Found::at(Place::Metadata),
            ["openapi.json"] => Found::at(Place::OpenApi),
            [set, rest @ ..] if *set == self.set => match rest {
                [] => Found::at(Place::Set),
                ["$count"] => Found::at(Place::Count),
                ["events"] => Found::at(Place::SetEvents),
                [key] => match key.rsplit_once(':') {
                    Some((id, action)) => {
                        Found::of(bound(action).filter(|place| *place != Place::EntityEvents)?, id)
                    }
                    None => Found::of(Place::Entity, *key),
                },
                [key, action] => Found::of(bound(action)?, *key),
                _ => return None,
            },
            [keyed, rest @ ..] => {
                let id = key(keyed.strip_prefix(&*self.set)?)?;
                match rest {
                    [] => Found::of(Place::Entity, id),
                    [action] => Found::of(bound(action)?, id),
                    _ => return None,
                }
            }
        })
    }

    fn methods(&self, place: Place) -> Methods {
        methods(place)
    }

    async fn answer(&self, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
        let (asks, answer, takes) = match call.place {
            Place::Service | Place::OpenApi | Place::Counters => (Asks::Format, Some(media::JSON), None),
            Place::Metadata => (Asks::Format, Some(media::XML), None),
            Place::Set if call.parts.method == Method::POST => (Asks::Entity, Some(media::JSON), Some(Takes::Json)),
            Place::Set => (Asks::List, Some(media::JSON), None),
            Place::Count => (Asks::List, Some(media::TEXT), None),
            Place::SetEvents => (Asks::Feed, Some(media::EVENTS), None),
            Place::EntityEvents => (Asks::Nothing, Some(media::EVENTS), None),
            Place::Entity if call.parts.method == Method::PATCH => {
                (Asks::Entity, Some(media::JSON), Some(Takes::Patch))
            }
            Place::Entity if call.parts.method == Method::DELETE => (Asks::Nothing, None, Some(Takes::Anything)),
            Place::Entity => (Asks::Entity, Some(media::JSON), None),
            Place::Cancel => (Asks::Nothing, None, Some(Takes::Anything)),
            Place::Start => (Asks::Entity, Some(media::JSON), Some(Takes::OptionalJson)),
        };
        let (options, is_401) = Self::check(call, asks, answer.as_ref())?;
        if let Some(takes) = takes {
            media::check_content(&call.parts.headers, takes)?;
            head::check_repeatability(&call.parts.headers)?;
        }
        let prefer = Prefer::read(&call.parts.headers);
        let asking = Asking { graph: self, call, options, prefer, is_401 };
        match call.place {
            Place::Service | Place::Counters => Ok(metadata::service(&asking)),
            Place::Metadata => Ok(metadata::document(self)),
            Place::OpenApi => Ok(openapi::document(self, call)),
            Place::Set if call.action == Action::Create => set::create(&asking, body).await,
            Place::Set => set::list(&asking).await,
            Place::Count => set::count(&asking).await,
            Place::SetEvents | Place::EntityEvents => events::stream(&asking).await,
            Place::Entity => match call.action {
                Action::Patch => entity::patch(&asking, body).await,
                Action::Delete => entity::delete(&asking).await,
                _ => entity::get(&asking).await,
            },
            Place::Cancel => entity::cancel(&asking).await,
            Place::Start => entity::start(&asking, body).await,
        }
    }

    fn refuse(&self, fault: &Fault, inner: &[(&str, &str)]) -> (HeaderValue, String) {
        (media::PLAIN_JSON, wire::to_json(&fault.problem(inner)))
    }

    fn dress(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("odata-version"), HeaderValue::from_static("4.0"));
        headers.insert(VARY, HeaderValue::from_static("Prefer"));
    }
}

/// What a segment or `:suffix` after an entity names, by its name or any qualified one.
fn bound(name: &str) -> Option<Place> {
    match name.rsplit_once('.').map_or(name, |(_, name)| name) {
        "cancel" => Some(Place::Cancel),
        "start" => Some(Place::Start),
        "events" => Some(Place::EntityEvents),
        _ => None,
    }
}

/// The key of `('id')` or `(id='id')`.
fn key(text: &str) -> Option<String> {
    let inside = text.strip_prefix('(')?.strip_suffix(')')?;
    let quoted = inside.strip_prefix("id=").unwrap_or(inside);
    Some(quoted.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))
}

/// A JSON answer.
pub(super) fn json(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, media::JSON);
    response
}
