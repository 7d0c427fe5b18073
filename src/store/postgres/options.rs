//! What can be chosen when a store is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::store::StoreError;

/// How a [`PostgresStore`](super::PostgresStore) is opened.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, made by a method of its own")]
pub struct PostgresOptions {
    pub(super) schema: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) patience: Duration,
    pub(super) short_patience: Duration,
    pub(super) lanes: Option<usize>,
    pub(super) plain_remote: bool,
    pub(super) trust_server: bool,
    pub(super) pooler: bool,
    pub(super) inspect: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            schema: "longrun".into(),
            clock: Arc::new(SystemClock::default()),
            patience: Duration::from_secs(5),
            short_patience: Duration::from_millis(20),
            lanes: None,
            plain_remote: false,
            trust_server: false,
            pooler: false,
            inspect: false,
        }
    }
}

impl PostgresOptions {
    /// The schema that holds the store's tables, made if it is missing: `longrun` unless said otherwise.
    /// One store per schema. It must be `[a-z_][a-z0-9_]{0,62}`.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// The clock that the store's own rounds wait by. Leases are by the database's clock, never by this.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How long a write waits for a row that another transaction has locked: 5 s unless said otherwise.
    pub fn patience(mut self, bound: Duration) -> Self {
        self.patience = bound;
        self
    }

    /// How many groups of writes may be under way at once; chosen by the pool's size unless said.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// Accepts a connection to another machine that is not encrypted, which is refused otherwise.
    pub fn allow_plaintext_to_remote(mut self) -> Self {
        self.plain_remote = true;
        self
    }

    /// Takes the server's durability as it is set, `fsync = off` and `synchronous_commit = off` included.
    /// Then `Stored` means no more than they do.
    pub fn trust_server_settings(mut self) -> Self {
        self.trust_server = true;
        self
    }

    /// Says that a pooler in transaction mode (`PgBouncer`) stands between: no statement is kept prepared,
    /// and each runs inside a transaction of its own. Hints then come by polling alone.
    pub fn behind_pooler(mut self) -> Self {
        self.pooler = true;
        self
    }

    /// Opens to look: takes no instance, writes nothing, refuses writes.
    pub fn inspect(mut self) -> Self {
        self.inspect = true;
        self
    }

    /// Refuses a name that would need more than quoting.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let mut bytes = self.schema.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let rest = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        // PostgreSQL keeps names that begin so to itself.
        if first && rest && self.schema.len() <= 63 && !self.schema.starts_with("pg_") {
            return Ok(());
        }
        Err(StoreError::Unsupported(
            "the schema's name must be [a-z_][a-z0-9_]{0,62} and not begin with pg_".into(),
        ))
    }

    pub(super) fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema)
    }

    /// The key of an advisory lock of this schema.
    pub(super) fn lock(&self, which: u8) -> i64 {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        b"longrun/"
            .iter()
            .chain(self.schema.as_bytes())
            .chain(&[which])
            .fold(0xcbf2_9ce4_8422_2325, |h, b| mix(h, *b))
            .cast_signed()
    }
}
