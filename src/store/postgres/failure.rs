//! What an error of the driver means for a write.

use std::fmt;

use crate::store::StoreError;

/// A failed statement.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    /// Whether nothing was certainly written.
    pub(super) definite: bool,
    /// Whether it failed for one row's sake: others of its group may succeed without it.
    pub(super) row: bool,
    what: String,
}

impl Failed {
    /// No connection could be had, so nothing was sent.
    pub(super) fn unsent(error: &sqlx::Error) -> Self {
        Self { definite: true, row: false, what: words(error) }
    }

    /// A failure of the library's own making, before anything was sent.
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self { definite: true, row: false, what: what.into() }
    }

    /// The statement was sent.
    pub(super) fn sent(error: &sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| Some(error.code()?.into_owned()));
        let (definite, row) = match code.as_deref() {
            // The server is going down: what it said last may have come after the commit.
            Some("57P01" | "57P02" | "57P03") => (false, false),
            // Lock not had in time, deadlock, serialisation. And a cancelled query (57014): a lock's timeout is
            // told as that where a second wait of the statement begins before the server has looked at the
            // first one's; `statement_timeout` and `pg_cancel_backend` always are. None of them commits, and
            // each is one statement's: the writes of a group are tried alone, once.
            Some("55P03" | "57014" | "40P01" | "40001") => (true, true),
            // Data exceptions, constraints, limits of an index row.
            Some(code) if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => (true, true),
            Some(code) => (!code.starts_with("08"), false),
            // The arguments could not be written: nothing was sent.
            None => (matches!(error, sqlx::Error::Encode(_)), false),
        };
        Self { definite, row, what: words(error) }
    }

    /// The same failure of a read: nothing was written.
    pub(super) fn of_read(self) -> Self {
        Self { definite: true, ..self }
    }

    /// The same failure of a write that an earlier attempt may have made.
    pub(super) fn unsure(self) -> Self {
        Self { definite: false, ..self }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failed {}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        Self::Unavailable { definite: failed.definite, source: Box::new(failed) }
    }
}

/// What failed, once: the driver prints a server's message in its own and in its cause.
fn words(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(server) => match server.code() {
            Some(code) => format!("{} (SQLSTATE {code})", server.message()),
            None => server.message().into(),
        },
        None => error.to_string(),
    }
}

/// A read that failed: nothing was written.
pub(super) fn read(error: &sqlx::Error) -> StoreError {
    Failed::sent(error).of_read().into()
}
