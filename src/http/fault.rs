//! Why a request is refused, whatever the face that says it.

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use crate::error::{Error, ErrorKind};
use crate::model::Operation;
use crate::wire::{self, Problem};

/// A refusal: status, code, words and headers. One word wide, for it travels in every `Result`.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    message: String,
    target: Option<String>,
    current: Option<Operation>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner { status, code, message, target: None, current: None, headers: Vec::new() }))
    }

    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "resourceNotFound", "there is nothing at this address")
    }

    /// 405 with the methods that there are.
    pub(super) fn method(allow: &str) -> Self {
        let fault = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "methodNotAllowed",
            format!("this address allows {allow} only"),
        );
        fault.header_text(ALLOW, allow)
    }

    /// 429 or 503: come again.
    pub(super) fn busy(status: StatusCode, message: &str) -> Self {
        Self::new(status, "throttledRequest", message).header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internalServerError", "the request could not be served")
    }

    pub(super) fn about(mut self, target: impl Into<String>) -> Self {
        self.0.target = Some(target.into());
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// A header whose text is ours; one that cannot be a header is left out.
    pub(super) fn header_text(self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.header(name, value),
            Err(_) => self,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(super) fn code(&self) -> &'static str {
        self.0.code
    }

    pub(super) fn message(&self) -> &str {
        &self.0.message
    }

    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The refusal by itself, outside of any face.
    pub(super) fn response(&self) -> Response {
        let mut response = Response::new(Body::from(wire::to_json(&self.problem(&[]))));
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().extend(self.headers().iter().cloned());
        response
    }

    pub(super) fn problem<'a>(&'a self, inner: &'a [(&'a str, &'a str)]) -> Problem<'a> {
        let Inner { status, code, message, target, current, .. } = &*self.0;
        Problem {
            status: status.as_u16(),
            code,
            message: message.as_str().into(),
            target: target.as_deref(),
            current: current.as_ref(),
            inner,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // What fails inside may name folders or servers: that is for the log, not for the wire.
        let message = match error.kind() {
            ErrorKind::Unavailable => "the store is unavailable".into(),
            ErrorKind::Closed | ErrorKind::Locked => "the service is shutting down".into(),
            ErrorKind::Corrupt | ErrorKind::Unsupported => "the request could not be served".into(),
            _ => error.to_string(),
        };
        // That nothing more may be kept is the host's own rule, told of where it refuses.
        if status.is_server_error() && error.kind() != ErrorKind::QuotaExceeded {
            tracing::error!(error = ?error, "a request could not be served");
        }
        let mut fault = Self::new(status, error.code(), message);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            fault = fault.header(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        fault.0.target = error.target().map(Into::into);
        fault.0.current = error.current().cloned();
        fault
    }
}
