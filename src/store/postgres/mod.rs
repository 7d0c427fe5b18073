//! The store that many processes on many machines share.
//!
//! Every write is one row addressed by id, swapped by one conditional statement at READ COMMITTED; nothing
//! depends on a stricter isolation, on a global sequence or on one notification per write. The bytes of
//! [`record`](super::record) are the truth; columns serve indexes and are written by the same statement.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query as SqlQuery;
use sqlx::{PgPool, Postgres};
use tokio::sync::Notify;
use tokio::task::JoinSet;

mod failure;
mod feed;
mod flow;
mod group;
mod hints;
mod idle;
mod keeper;
mod lanes;
mod options;
mod page;
mod readers;
mod row;
mod schema;
mod sql;
mod tally;
mod verify;
mod within;
mod write;

pub use self::options::PostgresOptions;

use self::failure::Failed;
use self::lanes::Lanes;
use self::readers::Loads;
use self::row::Row;
use self::sql::Statements;
use self::write::Write;
use super::hints::Listeners;
use super::unreadable::Unreadable;
use super::{
    Changes, Counts, Durability, HintStream, Idle, MAX_TYPES, Opened, Position, Report, Store, StoreError,
    StoreHealth, Swap,
};
use crate::model::{Operation, OperationId, Page, Query, Timestamp, Version};

/// Times that a connection is asked for while the server cannot be reached.
const ATTEMPTS: u32 = 5;

/// Of an answer that cannot come.
const RUNTIME_ENDED: &str = "the runtime that the store was opened on has ended";

/// A store in a PostgreSQL schema. Clones share it.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    shared: Arc<Shared>,
    /// Dropped with the last clone, which ends what the store runs.
    tasks: Arc<Tasks>,
}

/// What the store runs on the runtime that opened it.
#[derive(Debug, Default)]
struct Tasks {
    running: Mutex<JoinSet<()>>,
    /// Held while closing; `true` once closed.
    closed: tokio::sync::Mutex<bool>,
}

#[derive(Debug)]
struct Shared {
    pool: PgPool,
    options: PostgresOptions,
    statements: Statements,
    opened: Opened,
    lanes: Lanes,
    loads: Loads,
    listeners: Listeners,
    unreadable: Unreadable,
    /// Types that are known to be in the store.
    types: Mutex<HashSet<Box<str>>>,
    closed: AtomicBool,
    /// Somebody began to listen.
    listened: Notify,
    /// Others are to be told of a write.
    told: Notify,
    /// The store's rounds are due before their time.
    due: Notify,
    /// Writes since the deltas were folded.
    unfolded: AtomicU64,
    /// Creates since the planner's statistics were made, and how many bring them up to date.
    created: AtomicU64,
    analyze_after: AtomicU64,
}

impl PostgresStore {
    /// Opens the store in the schema `longrun` of the pool's database, made if it is missing.
    pub async fn connect(pool: PgPool) -> Result<Self, StoreError> {
        Self::connect_with(pool, PostgresOptions::default()).await
    }

    /// Opens a store as the options say.
    ///
    /// `Unsupported` if the schema is newer than this library or something else's, if the server does not
    /// keep what it commits, or if the way to another machine is not encrypted.
    pub async fn connect_with(pool: PgPool, options: PostgresOptions) -> Result<Self, StoreError> {
        let found = schema::open(&pool, &options).await?;
        let statements = Statements::new(&options, found.base);
        let size = usize::try_from(pool.options().get_max_connections()).unwrap_or(usize::MAX);
        let lanes = options.lanes.unwrap_or(size / 3).clamp(1, 4);
        let stragglers = (size / 4).clamp(1, 8);
        let readers = (size / 6).clamp(1, 2);
        let inspect = options.inspect;
        let shared = Arc::new(Shared {
            pool,
            options,
            statements,
            opened: Opened::new(found.store, found.instance, false),
            lanes: Lanes::default(),
            loads: Loads::default(),
            listeners: Listeners::default(),
            unreadable: Unreadable::default(),
            types: Mutex::default(),
            closed: AtomicBool::new(false),
            listened: Notify::new(),
            told: Notify::new(),
            due: Notify::new(),
            unfolded: AtomicU64::new(0),
            created: AtomicU64::new(0),
            analyze_after: AtomicU64::new(keeper::FIRST_ANALYZE),
        });
        let tasks = Arc::new(Tasks::default());
        {
            let mut running = tasks.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.spawn(hints::hear(Arc::clone(&shared)));
            for _ in 0..readers {
                running.spawn(readers::reader(Arc::clone(&shared)));
            }
            if !inspect {
                for _ in 0..lanes {
                    running.spawn(lanes::lane(Arc::clone(&shared)));
                }
                for _ in 0..stragglers {
                    running.spawn(lanes::straggler(Arc::clone(&shared)));
                }
                running.spawn(keeper::keep(Arc::clone(&shared)));
                running.spawn(hints::tell(Arc::clone(&shared)));
            }
        }
        Ok(Self { shared, tasks })
    }

    /// Every statement that the store sends, by name: for `EXPLAIN`, and for who audits them.
    pub fn statements(&self) -> Vec<(&'static str, String)> {
        self.shared.statements.named()
    }

    async fn write(&self, write: Write) -> Result<Swap, StoreError> {
        self.shared.check_open()?;
        if self.shared.options.inspect {
            return Err(StoreError::Unsupported("the store was opened to inspect, not to write".into()));
        }
        let Some(outcome) = self.shared.lanes.submit(write, self.shared.options.clock.monotonic()) else {
            return Err(self.shared.ended());
        };
        outcome.await.map_err(|_| StoreError::indefinite(RUNTIME_ENDED))?
    }
}

impl Shared {
    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Why nobody takes writes or loads any more.
    fn ended(&self) -> StoreError {
        self.check_open().err().unwrap_or_else(|| StoreError::definite(RUNTIME_ENDED))
    }

    /// How long an idle lane may keep a connection: not at all where there are few.
    fn hold(&self, long: Duration) -> Duration {
        if self.pool.options().get_max_connections() < 4 { Duration::ZERO } else { long }
    }

    /// A connection, asked for again while the server is away for a moment.
    async fn connection(&self) -> Result<PoolConnection<Postgres>, Failed> {
        let mut wait = Duration::from_millis(50);
        for _ in 1..ATTEMPTS {
            match self.pool.acquire().await {
                Err(sqlx::Error::Io(_)) => tokio::time::sleep(wait).await,
                outcome => return outcome.map_err(|error| Failed::unsent(&error)),
            }
            wait = wait.saturating_mul(2);
        }
        self.pool.acquire().await.map_err(|error| Failed::unsent(&error))
    }

    /// Asks, and asks once more if the connection broke.
    async fn ask(
        &self,
        query: impl Fn() -> SqlQuery<'static, Postgres, PgArguments> + Send,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.check_open()?;
        self.rows(query).await.map_err(|failed| failed.of_read().into())
    }

    /// The same, whether or not the store is being closed.
    async fn rows(
        &self,
        query: impl Fn() -> SqlQuery<'static, Postgres, PgArguments> + Send,
    ) -> Result<Vec<PgRow>, Failed> {
        let mut broken = false;
        loop {
            let mut connection = self.connection().await?;
            match write::rows(&mut connection, query(), self.options.pooler).await {
                Ok(rows) => return Ok(rows),
                Err(error) => {
                    let failed = Failed::sent(&error);
                    if broken || failed.definite {
                        return Err(failed);
                    }
                    broken = true;
                }
            }
        }
    }

    async fn load(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        self.check_open()?;
        let loaded = self.loads.submit(id.clone()).await.map_err(|_| self.ended())?;
        self.note_read(id, &loaded);
        loaded
    }

    /// Notes whether a record can be read.
    fn note_read<T>(&self, id: &OperationId, read: &Result<T, StoreError>) {
        if self.unreadable.note(id, read) {
            let schema = &self.options.schema;
            tracing::error!(operation.id = %id, schema, "a record cannot be read; lists pass it over");
        }
    }

    /// Refuses an operation of a type too many.
    async fn admit_type(&self, name: Option<&str>) -> Result<(), StoreError> {
        let Some(name) = name else { return Ok(()) };
        if self.knows_type(name) {
            return Ok(());
        }
        let rows = self.ask(|| self.statements.types.query()).await?;
        let found = rows.iter().map(|row| Ok(row::column::<String>(row, 0)?.into_boxed_str()));
        self.admit_among(name, found.collect::<Result<_, StoreError>>()?)
    }

    fn knows_type(&self, name: &str) -> bool {
        self.types.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn admit_among(&self, name: &str, found: Vec<Box<str>>) -> Result<(), StoreError> {
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        types.extend(found);
        if !types.contains(name) {
            if types.len() >= MAX_TYPES {
                return Err(StoreError::TypeLimit);
            }
            types.insert(name.into());
        }
        Ok(())
    }

    /// Tells of writes that one statement has committed, and when each set out.
    fn wrote<'a>(&self, writes: impl Iterator<Item = (&'a Write, Duration)>) {
        let (mut ids, mut created, mut first) = (Vec::new(), 0_u64, Duration::MAX);
        for (write, since) in writes {
            ids.push(write.row.id.clone());
            created = created.saturating_add(u64::from(write.expected.is_none()));
            first = first.min(since);
        }
        if ids.is_empty() {
            return;
        }
        self.lanes.flow().committed(self.options.clock.monotonic().saturating_sub(first));
        self.count_write(created);
        if !self.listeners.is_empty() {
            self.listeners.tell(&ids.into_iter());
        }
        self.told.notify_one();
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn opened(&self) -> Opened {
        self.shared.opened
    }

    async fn load(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        Ok(self.shared.load(id).await?)
    }

    async fn swap(
        &self,
        expected: Option<Version>,
        next: &Operation,
        _durability: Durability,
    ) -> Result<Swap, StoreError> {
        self.shared.check_open()?;
        if expected.is_none() {
            self.shared.admit_type(next.type_name()).await?;
        }
        self.write(Write { expected, row: Row::live(next)? }).await
    }

    async fn remove(&self, id: &OperationId, expected: Version) -> Result<Swap, StoreError> {
        let row = self.shared.tombstone(id, expected)?;
        self.write(Write { expected: Some(expected), row }).await
    }

    async fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.shared.page(query).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.shared.counts().await
    }

    async fn group_counts(&self, group: &str) -> Result<Counts, StoreError> {
        self.shared.group_counts(group).await
    }

    async fn idle(
        &self,
        which: &Idle,
        after: Option<&OperationId>,
        limit: NonZeroU32,
    ) -> Result<Vec<OperationId>, StoreError> {
        self.shared.idle(which, after, limit).await
    }

    async fn changes(&self, after: &Position, limit: NonZeroU32) -> Result<Changes, StoreError> {
        self.shared.changes(*after, limit).await
    }

    fn hints(&self) -> HintStream {
        let stream = self.shared.listeners.listen();
        self.shared.listened.notify_one();
        stream
    }

    fn health(&self) -> StoreHealth {
        // How far the feed is behind is known to the server alone, which is not asked here: `changes` tells it.
        let mut health = StoreHealth::new("commit");
        health.unreadable = self.shared.unreadable.count();
        self.shared.lanes.flow().tell(self.shared.options.clock.monotonic(), health)
    }

    async fn verify(&self) -> Result<Report, StoreError> {
        self.shared.verify().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.shared.closed.store(true, Ordering::Release);
        let mut closed = self.tasks.closed.lock().await;
        if *closed {
            return Ok(());
        }
        self.shared.lanes.drain().await;
        let mut running = std::mem::take(&mut *self.tasks.running.lock().unwrap_or_else(PoisonError::into_inner));
        running.shutdown().await;
        self.shared.listeners.close();
        if !self.shared.options.inspect {
            self.shared.leave().await;
        }
        *closed = true;
        Ok(())
    }
}

impl Shared {
    fn tombstone(&self, id: &OperationId, version: Version) -> Result<Row, StoreError> {
        let at = Timestamp::try_from(self.options.clock.now())
            .map_err(|_| StoreError::definite("the clock shows no date of the years 1 to 9999"))?;
        Row::tombstone(id, version, at)
    }
}
