//! Addresses that are nobody's: 401 before 404, in the same envelope (PROTOCOL 123).

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use super::access::Access;
use super::face::{Call, Face, Speaks};
use super::fault::Fault;
use super::route::{Found, Methods, Place};
use super::{media, projection};
use crate::tracker::Tracker;
use crate::wire;

struct Nowhere(Face);

/// What an app answers where no face is, for [`Router::fallback_service`]: 401 to strangers, 404 to others.
pub fn nowhere(tracker: Tracker, access: Access) -> Router {
    projection::router(Nowhere(Face::new(tracker, access, "")))
}

impl Speaks for Nowhere {
    fn face(&self) -> &Face {
        &self.0
    }

    fn find(&self, _segments: &[String]) -> Option<Found> {
        None
    }

    fn methods(&self, _place: Place) -> Methods {
        &[]
    }

    async fn answer(&self, _call: &Call<'_>, _body: Body) -> Result<Response, Fault> {
        Err(Fault::not_found())
    }

    fn refuse(&self, fault: &Fault, inner: &[(&str, &str)]) -> (HeaderValue, String) {
        (media::PLAIN_JSON, wire::to_json(&fault.problem(inner)))
    }

    fn dress(&self, response: &mut Response) {
        let name = HeaderName::from_static("odata-version");
        response.headers_mut().insert(name, HeaderValue::from_static("4.0"));
    }
}
