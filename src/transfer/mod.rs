//! Moves every operation from one store to another, or into a file and back: versions and times are kept.
//!
//! The file is JSON, one line each: which store it is of, operations, and marks. A mark says how far the
//! feed had been read and sums up all bytes before it, so that an [`export`] that was broken off goes on
//! from the last one, and one that was finished takes up what has changed since.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use longrun::store::{MemoryStore, Store as _};
//! use longrun::transfer::{export, import};
//! use longrun::{NewOperation, Tracker};
//! # use std::sync::Arc;
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("operations.jsonl");
//! # let clock = || Arc::new(longrun::clock::SystemClock::default());
//!
//! let old = Arc::new(MemoryStore::in_memory(clock()).await?);
//! let tracker = Tracker::builder().open_store(old.clone()).await?;
//! let kept = tracker.create(NewOperation::new("export")).await?;
//! export(&*old, &file).await?;
//!
//! let new = Arc::new(MemoryStore::in_memory(clock()).await?);
//! import(&*new, &file).await?;
//! assert_eq!(new.load(kept.id()).await?, Some(kept));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! Both read and write the file between awaits: they are made for a command of its own, not for a server
//! that answers others at the same time.

use std::path::Path;

mod export;
mod import;
mod line;

pub use self::export::{Exported, export};
pub use self::import::{Imported, import};

use crate::error::{Error, ErrorKind};

/// The file cannot be read or written.
fn unavailable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "fileUnavailable", format!("{}: {error}", path.display()))
}

/// The file is not what an export wrote.
fn corrupt(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Corrupt, "fileCorrupt", format!("{}: {what}", path.display()))
}
