//! What the Azure and Google faces share: a mount of few places, each its own words.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;

use super::face::{Speaks, handle};
use super::fault::Fault;
use super::route::{Found, Place};
use crate::model::{Failure, Operation};

/// The router of a face that has all its places below its root.
pub(super) fn router(face: impl Speaks) -> Router {
    let root = face.face().root.clone();
    let face = Arc::new(face);
    let serve = any(move |request: Request| handle(Arc::clone(&face), request));
    let router = Router::new().route(&format!("{root}/{{*below}}"), serve.clone());
    if root.is_empty() { router.route("/", serve) } else { router.route(&root, serve) }
}

/// A mount's root as it is kept.
pub(super) fn root(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

/// `{id}`, `{id}:cancel` and `{id}/cancel`.
pub(super) fn find(segments: &[String]) -> Option<Found> {
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    Some(match &*segments {
        [] => Found::at(Place::Set),
        [key] => match key.rsplit_once(':') {
            Some((id, "cancel")) => Found::of(Place::Cancel, id),
            Some(_) => return None,
            None => Found::of(Place::Entity, *key),
        },
        [id, "cancel"] => Found::of(Place::Cancel, *id),
        _ => return None,
    })
}

/// The code and message of a failed operation, which these shapes must have.
pub(super) fn reason(operation: &Operation) -> (&str, &str) {
    match operation.failure() {
        Some(failure) => (failure.code(), failure.message()),
        None => (Failure::FAILED, "the operation failed"),
    }
}

/// The one value of a plain query parameter.
pub(super) fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, Fault> {
    let mut values = query.unwrap_or_default().split('&').filter_map(|part| {
        let (given, value) = part.split_once('=').unwrap_or((part, ""));
        (given == name).then(|| super::percent::decode(value))
    });
    let malformed = || Fault::bad("invalidQueryOption", format!("`{name}` must be given once")).about(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(Some(value)), None) => Ok(Some(value)),
        _ => Err(malformed()),
    }
}
