//! The one error of the library: a kind to match on, the record that won, a message of this level only.

use std::error::Error as StdError;
use std::fmt;

use crate::model::{InvalidId, Operation, Rejection, Unfit};
use crate::store::StoreError;

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed. One word wide.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: &'static str,
    target: Option<String>,
    message: String,
    current: Option<Operation>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No operation of that id.
    NotFound,
    /// Another operation of that id exists.
    AlreadyExists,
    /// The operation changed since the caller read it.
    PreconditionFailed,
    /// The machine has no such arrow, or somebody else holds the claim.
    IllegalTransition,
    /// The operation has ended.
    Terminal,
    /// The state refuses the change for another reason.
    Conflict,
    /// The request is wrong whatever the state; names the field and the rule.
    Invalid,
    /// Lost a thousand races in a row.
    Contended,
    /// As many operations are kept as may be: some must be deleted first.
    QuotaExceeded,
    /// The feed no longer reaches back to that position.
    PositionExpired,
    /// The disk, the server or the connection fails.
    Unavailable,
    /// What is stored cannot be read.
    Corrupt,
    /// Another process has the store open.
    Locked,
    /// The tracker is closed.
    Closed,
    /// The store is of another kind or a newer version.
    Unsupported,
}

impl Error {
    /// An error of a kind with the protocol's code (PROTOCOL b-15) and a message.
    pub(crate) fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner { kind, code, target: None, message, current: None, source: None }))
    }

    /// A request that breaks a rule, whatever the state.
    pub(crate) fn invalid(code: &'static str, unfit: &Unfit) -> Self {
        let mut error = Self::new(ErrorKind::Invalid, code, unfit.to_string());
        error.0.target = Some(unfit.field.clone());
        error
    }

    /// No operation of this id.
    pub(crate) fn not_found(id: &crate::model::OperationId) -> Self {
        Self::new(ErrorKind::NotFound, "operationNotFound", format!("there is no operation {id}"))
    }

    /// A refused patch, with the record that refused it.
    pub(crate) fn rejected(rejection: &Rejection, current: Option<Operation>) -> Self {
        let kind = match rejection {
            Rejection::Invalid(_) | Rejection::InitialStatus => ErrorKind::Invalid,
            Rejection::Precondition(_) => ErrorKind::PreconditionFailed,
            Rejection::Terminal { .. } => ErrorKind::Terminal,
            Rejection::Transition { .. } | Rejection::Held { .. } => ErrorKind::IllegalTransition,
            _ => ErrorKind::Conflict,
        };
        let mut error = Self::new(kind, rejection.code(), rejection.to_string());
        error.0.target = rejection.target().map(Into::into);
        error.0.current = current;
        error
    }

    /// The same error about a field.
    pub(crate) fn about(mut self, target: impl Into<String>) -> Self {
        self.0.target = Some(target.into());
        self
    }

    /// The same error with the record that won.
    pub(crate) fn with_current(mut self, current: Operation) -> Self {
        self.0.current = Some(current);
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The protocol's own code, such as `operationTerminal` (PROTOCOL b-15).
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The field that breaks a rule.
    pub fn target(&self) -> Option<&str> {
        self.0.target.as_deref()
    }

    /// The operation as it is: the record that won.
    pub fn current(&self) -> Option<&Operation> {
        self.0.current.as_ref()
    }

    /// Whether the same call may succeed later without anything else being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Unavailable | ErrorKind::Contended)
    }

    /// Whether the write certainly did not happen. After an indefinite failure read again.
    pub fn is_definite(&self) -> bool {
        let store = self.0.source.as_deref().and_then(|source| source.downcast_ref::<StoreError>());
        !matches!(store, Some(StoreError::Unavailable { definite: false, .. }))
    }

    /// The HTTP status of this failure (PROTOCOL b-15).
    pub fn http_status(&self) -> u16 {
        match self.kind() {
            ErrorKind::Invalid => 400,
            ErrorKind::NotFound => 404,
            ErrorKind::AlreadyExists | ErrorKind::IllegalTransition | ErrorKind::Terminal | ErrorKind::Conflict => {
                409
            }
            ErrorKind::PositionExpired => 410,
            ErrorKind::PreconditionFailed => 412,
            ErrorKind::Contended | ErrorKind::Unavailable | ErrorKind::Closed | ErrorKind::Locked => 503,
            ErrorKind::Corrupt | ErrorKind::Unsupported => 500,
            ErrorKind::QuotaExceeded => 507,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The store's own words are this error's message already; its cause comes next.
        self.0.source.as_deref().and_then(StdError::source)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (kind, code) = match &error {
            StoreError::Unavailable { .. } => (ErrorKind::Unavailable, "storeUnavailable"),
            StoreError::Corrupt(_) => (ErrorKind::Corrupt, "storeCorrupt"),
            StoreError::Locked(_) => (ErrorKind::Locked, "storeLocked"),
            StoreError::Unsupported(_) => (ErrorKind::Unsupported, "storeUnsupported"),
            StoreError::PositionExpired => (ErrorKind::PositionExpired, "positionExpired"),
            StoreError::TypeLimit => (ErrorKind::Conflict, "typeLimitReached"),
            StoreError::Closed => (ErrorKind::Closed, "trackerClosed"),
        };
        let mut result = Self::new(kind, code, error.to_string());
        if matches!(error, StoreError::TypeLimit) {
            result.0.target = Some("type".into());
        }
        result.0.source = Some(Box::new(error));
        result
    }
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        Self::invalid("invalidPropertyValue", &unfit)
    }
}

impl From<InvalidId> for Error {
    fn from(invalid: InvalidId) -> Self {
        Self::new(ErrorKind::Invalid, "invalidPropertyValue", format!("`id` {invalid}")).about("id")
    }
}
