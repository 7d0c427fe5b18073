//! A small file system in memory, mounted through FUSE, that loses its power on demand.
//!
//! The process under test uses ordinary files below the mount point and sees what it wrote. Beside that live
//! state the file system keeps what a disk would hold: data reaches it by `fsync`, `fdatasync`, a write to a file
//! opened with `O_SYNC` or `O_DSYNC`, or a write to an inode with the sync flag; entries of folders reach it by
//! `fsync` of the folder or, as on a journalling file system, of the file. [`Mounted::freeze`] is the power cut and
//! [`Mounted::image`] draws one of the trees that may be found afterwards, as often as wanted from one cut.
//!
//! It is not a simulation of one file system: what POSIX leaves open is decided by the seed, within the [`Model`].
//!
//! ```no_run
//! use powerfs::{Backing, Model, Options, PowerFs};
//! use std::{fs, path::Path};
//!
//! let mounted = PowerFs::mount(Path::new("/mnt/power"), Backing::Memory, &Options::default())?;
//! fs::write("/mnt/power/lost", "never synced")?;
//! mounted.freeze();
//! mounted.cut(1, Model::Drop, Path::new("/dev/shm/after"))?;
//! assert!(!Path::new("/dev/shm/after/lost").exists());
//! # std::io::Result::Ok(())
//! ```
//!
//! Linux only, and root: it mounts by the system call, without helpers.

mod calls;
mod content;
mod core;
mod device;
mod fault;
mod filesystem;
mod image;
mod ledger;
mod model;
mod mounted;
mod options;
mod volume;

pub use calls::{Call, Calls};
pub use fault::{Failure, Fault};
pub use image::Image;
pub use model::Model;
pub use mounted::{Loose, Mounted, PowerFs};
pub use options::{Backing, Forgotten, Frozen, Hold, Options, SyncFlag};
