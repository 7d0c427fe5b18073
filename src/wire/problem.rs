//! Errors as JSON.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::error::Error;
use crate::model::Operation;

/// An error as `{"error": {..}}` (PROTOCOL 16, 17, b-15).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem<'a> {
    /// The HTTP status; its phrase is the outer code.
    pub status: u16,
    /// The code of `innerError`.
    pub code: &'a str,
    /// What went wrong, for people.
    pub message: Cow<'a, str>,
    /// The member or header that it is about.
    pub target: Option<&'a str>,
    /// The operation as it is.
    pub current: Option<&'a Operation>,
    /// What the face adds to `innerError`: date, request ids.
    pub inner: &'a [(&'a str, &'a str)],
}

impl<'a> Problem<'a> {
    /// An error with what its face knows of the request.
    pub fn new(error: &'a Error, inner: &'a [(&'a str, &'a str)]) -> Self {
        Self {
            status: error.http_status(),
            code: error.code(),
            message: Cow::Owned(error.to_string()),
            target: error.target(),
            current: error.current(),
            inner,
        }
    }
}

impl Serialize for Problem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Outer<'a>(&'a Problem<'a>);
        struct Inner<'a>(&'a Problem<'a>);

        impl Serialize for Outer<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let Self(problem) = self;
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("code", phrase(problem.status))?;
                map.serialize_entry("message", &problem.message)?;
                if let Some(target) = problem.target {
                    map.serialize_entry("target", target)?;
                }
                map.serialize_entry("innerError", &Inner(problem))?;
                map.end()
            }
        }

        impl Serialize for Inner<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let Self(problem) = self;
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("code", problem.code)?;
                if let Some(current) = problem.current {
                    map.serialize_entry("currentStatus", current.status().as_str())?;
                    let allowed: Vec<_> = current.status().allowed().iter().map(|status| status.as_str()).collect();
                    map.serialize_entry("allowed", &allowed)?;
                    if let Some(holder) = current.holder() {
                        map.serialize_entry("holder", holder)?;
                    }
                }
                for (name, value) in problem.inner {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }

        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("error", &Outer(self))?;
        map.end()
    }
}

/// The camelCase phrase of a status, which is the outer code.
pub const fn phrase(status: u16) -> &'static str {
    match status {
        400 => "badRequest",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "notFound",
        405 => "methodNotAllowed",
        406 => "notAcceptable",
        408 => "requestTimeout",
        409 => "conflict",
        410 => "gone",
        412 => "preconditionFailed",
        413 => "contentTooLarge",
        415 => "unsupportedMediaType",
        428 => "preconditionRequired",
        429 => "tooManyRequests",
        501 => "notImplemented",
        503 => "serviceUnavailable",
        507 => "insufficientStorage",
        _ => "internalServerError",
    }
}
