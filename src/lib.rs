//! A background job-state tracker: durable, observable state for long-running operations, embedded in the
//! process that runs them.
//!
//! It is the truth about jobs: an operation is `NotStarted → Running → Completed | Failed` and nothing else,
//! ever; one caller wins each race; what was acknowledged survives kill -9 and power cuts. It is not a queue,
//! scheduler, cron, workflow engine or retry policy: it hands out no work and re-runs nothing.
//!
//! ```
//! use longrun::{NewOperation, Tracker};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let jobs = folder.path().join("jobs");
//! let tracker = Tracker::open(jobs).await?; // a folder; orphans are ended before this answers
//! let export = tracker.create(NewOperation::new("export").label("order", "1742")).await?;
//! let rows = tracker
//!     .run(export.id(), async |run| {
//!         run.progress(40);
//!         Ok::<_, std::io::Error>(42)
//!     })
//!     .await?;
//! assert_eq!(tracker.get(export.id()).await?.result::<i32>()?, rows);
//! # tracker.close(std::time::Duration::ZERO).await?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! | to | ask |
//! |---|---|
//! | create, change, read, list, wait | [`Tracker`] |
//! | describe a new operation, or a change | [`NewOperation`], [`Patch`] |
//! | read one | [`Operation`], [`Status`], [`Failure`] |
//! | run work, or hold a claim | [`Tracker::run`], [`Run`], [`Reporter`] |
//! | tell what went wrong | [`Error`], [`ErrorKind`] |
//! | keep state elsewhere | [`store`] |
//! | move to another store, back up | [`transfer`] |
//! | test what uses it | `testing` (feature `conformance`) |
//! | speak the JSON of the page | [`wire`], [`Tracker::patch_json`] |
//! | decide without a tracker | [`model`] |
//!
//! | feature | what it adds |
//! |---|---|
//! | `sled` (default) | the store on disk, `Tracker::open` |
//! | `http` | Graph, Azure and Google over HTTP, as axum routers, and a server with limits |
//! | `postgres` | `store::PostgresStore`, which many processes share; `postgres`: operations in the user's own transaction |
//! | `metrics` | figures for the `metrics` facade, whatever recorder the host installs |
//! | `conformance` | the public suite that every store must pass, and `testing` for those who use a tracker |

pub mod clock;
mod error;
#[cfg(feature = "http")]
pub mod http;
pub mod model;
#[cfg(feature = "postgres")]
mod postgres_tx;
pub mod store;
#[cfg(feature = "conformance")]
pub mod testing;
mod tracker;
pub mod transfer;
pub mod wire;

pub use error::{Error, ErrorKind, Result};
pub use model::{Failure, NewOperation, Operation, OperationId, Patch, Status};
#[cfg(feature = "conformance")]
pub use store::conformance;
pub use tracker::{Reporter, Run, RunError, Tracker};

/// Operations inside the user's own PostgreSQL transaction.
#[cfg(feature = "postgres")]
pub mod postgres {
    pub use crate::postgres_tx::{create_in, patch_in};
}

/// What the tracker's calls take and answer beside what the front page names.
pub mod calls {
    pub use crate::tracker::{
        Builder, Created, EndError, Health, IdSource, List, Swept, SystemIds, Watch, Watched,
    };
}

/// Long texts, compiled so that their examples stay true.
#[cfg(doctest)]
mod documentation {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/guide.md")]
    mod guide {}
    #[doc = include_str!("../docs/operating.md")]
    mod operating {}
    #[doc = include_str!("../docs/performance.md")]
    mod performance {}
    #[doc = include_str!("../docs/scale.md")]
    mod scale {}
    #[doc = include_str!("../docs/stores.md")]
    mod stores {}
    #[cfg(feature = "conformance")]
    #[doc = include_str!("../docs/testing.md")]
    mod testing {}
}

/// Handles cross threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Tracker>();
    shared::<Reporter>();
    shared::<Run>();
    shared::<Error>();
};
