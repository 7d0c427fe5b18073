//! Ours, through the public `Tracker` alone: over sled, over memory, and over PostgreSQL.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Result;
use longrun::{
    ErrorKind, NewOperation, OperationId, Patch, Run, Tracker,
    clock::SystemClock,
    store::{SledOptions, SledStore, SyncMethod},
};

use crate::{contender::Contender, job::Job, record::Status};

/// Over a map.
pub const MEMORY: u8 = 0;
/// Over sled.
pub const SLED: u8 = 1;
/// Over PostgreSQL.
#[cfg(feature = "rivals")]
pub const POSTGRES: u8 = 2;

/// A tracker; `STORE` says over which store.
#[derive(Debug)]
pub struct Longrun<const STORE: u8> {
    tracker: Tracker,
    durability: String,
    /// Ends with this.
    #[cfg(feature = "rivals")]
    _server: Option<longrun_checks_postgres::Server>,
}

impl<const STORE: u8> Longrun<STORE> {
    fn new(tracker: Tracker, durability: &str) -> Self {
        Self {
            tracker,
            durability: durability.into(),
            #[cfg(feature = "rivals")]
            _server: None,
        }
    }

    /// The tracker itself.
    #[must_use]
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }
}

fn ours(status: Status) -> longrun::Status {
    match status {
        Status::NotStarted => longrun::Status::NotStarted,
        Status::Running => longrun::Status::Running,
        Status::Completed => longrun::Status::Completed,
        Status::Failed => longrun::Status::Failed,
    }
}

fn theirs(status: longrun::Status) -> Status {
    match status {
        longrun::Status::NotStarted => Status::NotStarted,
        longrun::Status::Running => Status::Running,
        longrun::Status::Completed => Status::Completed,
        longrun::Status::Failed => Status::Failed,
    }
}

impl<const STORE: u8> Contender for Longrun<STORE> {
    type Key = OperationId;
    type Claim = Run;

    async fn open(folder: &Path, _job: &Job) -> Result<Self> {
        if STORE == MEMORY {
            return Ok(Self::new(Tracker::builder().in_memory().await?, "nothing: in memory"));
        }
        #[cfg(feature = "rivals")]
        if STORE == POSTGRES {
            let (server, pool) = super::postgres::server(super::postgres::OURS).await?;
            let store = longrun::store::PostgresStore::connect(pool).await?;
            let tracker = Tracker::builder().open_store(Arc::new(store)).await?;
            return Ok(Self { _server: Some(server), ..Self::new(tracker, super::postgres::DURABILITY) });
        }
        // What `Tracker::open` does, kept apart to ask the store how it syncs.
        let options = SledOptions::new(folder.join("jobs.sled"));
        let store = SledStore::open_folder(options, Arc::new(SystemClock::default())).await?;
        let durability = match store.sync_method() {
            Some(SyncMethod::SyncFlag) => "flush of a file with the sync flag",
            _ => "flush and fdatasync",
        };
        let tracker = Tracker::builder().open_store(Arc::new(store)).await?;
        Ok(Self::new(tracker, durability))
    }

    fn durability(&self) -> String {
        self.durability.clone()
    }

    async fn create(&self) -> Result<OperationId> {
        Ok(self.tracker.create(NewOperation::new("export")).await?.id().clone())
    }

    async fn start(&self, key: &OperationId) -> Result<Option<Run>> {
        match self.tracker.start(key).await {
            Ok(run) => Ok(Some(run)),
            Err(error) if lost(error.kind()) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn complete(&self, _key: &OperationId, claim: Run) -> Result<()> {
        match claim.complete(()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.into_error().into()),
        }
    }

    async fn transition(&self, key: &OperationId, to: Status) -> Result<()> {
        self.tracker.patch(key, Patch::new().status(ours(to))).await?;
        Ok(())
    }

    async fn progress(&self, key: &OperationId, percent: u8) -> Result<()> {
        self.tracker.progress(key, percent).await?;
        Ok(())
    }

    async fn get(&self, key: &OperationId) -> Result<Option<Status>> {
        match self.tracker.get(key).await {
            Ok(operation) => Ok(Some(theirs(operation.status()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn page(&self, status: Status, limit: usize) -> Result<usize> {
        let page = self.tracker.list().status(ours(status)).limit(u32::try_from(limit)?).await?;
        Ok(page.items.len())
    }

    async fn counts(&self) -> Result<[u64; 4]> {
        let counts = self.tracker.counts().await?;
        Ok(Status::ALL.map(|status| counts.of(ours(status))))
    }

    async fn delete(&self, key: &OperationId) -> Result<()> {
        Ok(self.tracker.delete(key).await?)
    }

    async fn close(self) -> Result<()> {
        Ok(self.tracker.close(Duration::ZERO).await?)
    }
}

/// Whether a refused start means that another caller was first.
fn lost(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Conflict | ErrorKind::IllegalTransition | ErrorKind::Terminal)
}
