//! Counts in Prometheus' text format: by type and status, never by id (FAULTS 31).

use std::fmt;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;

use super::access::{Access, Action};
use super::face::{Call, Face, Speaks};
use super::fault::Fault;
use super::media;
use super::projection;
use super::route::{self, Found, Methods, Place, Route};
use crate::tracker::{Counts, Tracker};
use crate::wire;

/// How many operations there are, for Prometheus.
#[must_use = "a face serves once it is merged into a router"]
pub struct Counters {
    face: Face,
    also: Option<Box<dyn Fn() -> String + Send + Sync>>,
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters").field("face", &self.face).finish_non_exhaustive()
    }
}

/// Counts by type and status at `/metrics`; [`Counters::path`] chooses another.
pub fn counters(tracker: Tracker, access: Access) -> Counters {
    Counters { face: Face::new(tracker, access, "/metrics"), also: None }
}

impl Counters {
    /// The path.
    pub fn path(mut self, path: impl AsRef<str>) -> Self {
        self.face.root = projection::root(path.as_ref());
        self
    }

    /// What else is to be served there, such as the text that a recorder of the `metrics` facade renders.
    pub fn also(mut self, text: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.also = Some(Box::new(text));
        self
    }

    /// Every route, from the table that requests are routed by.
    pub fn routes(&self) -> Vec<Route> {
        route::table([(self.face.root.clone(), METHODS)])
    }

    /// The router.
    pub fn router(self) -> Router {
        projection::router(self)
    }
}

impl From<Counters> for Router {
    fn from(counters: Counters) -> Self {
        counters.router()
    }
}

const METHODS: Methods = &[("GET", Action::Count)];
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

impl Speaks for Counters {
    fn face(&self) -> &Face {
        &self.face
    }

    fn find(&self, segments: &[String]) -> Option<Found> {
        segments.is_empty().then(|| Found::at(Place::Counters))
    }

    fn methods(&self, _place: Place) -> Methods {
        METHODS
    }

    async fn answer(&self, call: &Call<'_>, _body: Body) -> Result<Response, Fault> {
        let (counts, watchers) = (call.tracker().counts().await?, call.tracker().watchers());
        let mut text = text(&counts, watchers);
        text.extend(self.also.iter().map(|also| also()));
        let mut response = Response::new(Body::from(text));
        response.headers_mut().insert(CONTENT_TYPE, TEXT);
        Ok(response)
    }

    fn refuse(&self, fault: &Fault, inner: &[(&str, &str)]) -> (HeaderValue, String) {
        (media::PLAIN_JSON, wire::to_json(&fault.problem(inner)))
    }

    fn dress(&self, _response: &mut Response) {}
}

fn text(counts: &Counts, watchers: usize) -> String {
    let mut text = String::from(
        "# HELP longrun_operations Operations kept, by type and status.\n# TYPE longrun_operations gauge\n",
    );
    text.extend(counts.iter().map(|(name, status, count)| {
        let name = name.unwrap_or_default().replace('\\', "\\\\").replace('"', "\\\"");
        format!("longrun_operations{{type=\"{name}\",status=\"{status}\"}} {count}\n")
    }));
    text.push_str("# HELP longrun_watchers Watches and long polls that wait.\n# TYPE longrun_watchers gauge\n");
    text.extend([format!("longrun_watchers {watchers}\n")]);
    text
}
