//! `Accept`, `Content-Type` and the media types of this server (PROTOCOL 4, 19, 20, 33, 34, 59, 60).

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::fault::Fault;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json;odata.metadata=minimal");
pub(super) const PLAIN_JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const XML: HeaderValue = HeaderValue::from_static("application/xml");
pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain");
pub(super) const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
/// The name of `Accept-Patch` (RFC 5789 3.1).
pub(super) const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
/// What PATCH takes.
pub(super) const PATCHES: HeaderValue = HeaderValue::from_static("application/json, application/merge-patch+json");

/// Refuses a request whose `Accept`, or `$format` in its place, leaves out the type of the answer.
pub(super) fn check_accept(headers: &HeaderMap, format: Option<&str>, answer: &HeaderValue) -> Result<(), Fault> {
    let answer = answer.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let accepted = match format {
        Some("json") => answer == "application/json",
        Some("xml") => answer == "application/xml",
        Some(range) => quality(range, answer) > Some(0.0),
        None => accepts(headers, answer),
    };
    if accepted {
        return Ok(());
    }
    let message = format!("the answer is {answer}, which the request does not accept");
    Err(Fault::new(StatusCode::NOT_ACCEPTABLE, "notAcceptable", message).about("Accept"))
}

fn accepts(headers: &HeaderMap, answer: &str) -> bool {
    let ranges: Vec<_> = headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or("?")).collect();
    if ranges.iter().all(|list| list.trim().is_empty()) {
        return true;
    }
    // The most specific range that fits decides: `*/*;q=0` does not take back `application/json`.
    let fitting = ranges
        .iter()
        .flat_map(|list| list.split(','))
        .filter_map(|range| Some((specificity(range), quality(range, answer)?)));
    fitting.max_by(|(a, p), (b, q)| a.cmp(b).then(p.total_cmp(q))).is_some_and(|(_, quality)| quality > 0.0)
}

fn specificity(range: &str) -> usize {
    let name = range.split(';').next().unwrap_or_default();
    2_usize.saturating_sub(name.matches('*').count())
}

/// The quality that a range gives the answer's type, if it covers it.
fn quality(range: &str, answer: &str) -> Option<f32> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let family = answer.split('/').next().unwrap_or_default();
    let covers = name == answer || name == "*/*" || name.strip_suffix("/*") == Some(family);
    if !covers {
        return None;
    }
    let mut quality = 1.0;
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
        match &*name {
            "q" => quality = value.parse().unwrap_or(0.0),
            // OData's old verbose format is another representation, which there is none of.
            "odata" if value.eq_ignore_ascii_case("verbose") => return None,
            _ => {}
        }
    }
    Some(quality)
}

/// Which media types a body may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// `application/json`.
    Json,
    /// That, or `application/merge-patch+json`.
    Patch,
    /// `application/json`, or no type where there is no body.
    OptionalJson,
    /// Anything: it is not read.
    Anything,
}

/// Refuses a body of another media type.
pub(super) fn check_content(headers: &HeaderMap, takes: Takes) -> Result<(), Fault> {
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    let fits = match (given.next(), given.next()) {
        (_, Some(_)) => false,
        (None, None) => takes == Takes::OptionalJson,
        (Some(value), None) => value.to_str().is_ok_and(|value| is_taken(value, takes)),
    };
    if fits || takes == Takes::Anything {
        return Ok(());
    }
    let message = "the body must be application/json";
    let fault = Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupportedMediaType", message);
    let fault = fault.about("Content-Type");
    Err(if takes == Takes::Patch { fault.header(ACCEPT_PATCH, PATCHES) } else { fault })
}

fn is_taken(value: &str, takes: Takes) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let known = name == "application/json" || (takes == Takes::Patch && name == "application/merge-patch+json");
    known
        && parts.all(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            !name.trim().eq_ignore_ascii_case("charset")
                || ["utf-8", "utf8"].contains(&&*value.trim().trim_matches('"').to_ascii_lowercase())
        })
}
