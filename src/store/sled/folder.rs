//! The folder of a store: whose it is, who has it open, and the flag on its files.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;

use super::{StoreError, SyncMethod, failed};

const LOCK: &str = "longrun.lock";
const STORE: &str = "store";
const JOURNAL: &str = "journal";
const BUILDING: &str = "store.tmp";

/// A folder that this process alone has open, until this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Locks the folder before anything in it is touched; makes it if it is missing and that is wanted. The
    /// lock is the kernel's (`flock`): kill -9 frees it. Not for NFS.
    pub(super) fn lock(path: &Path, makes: bool) -> Result<Self, StoreError> {
        // A trailing slash would follow the link that must be refused.
        let path = &path.components().collect::<PathBuf>();
        let fail = |error| failed("open", path, error);
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => {
                return Err(StoreError::Unsupported(format!("{} is a symbolic link", path.display())));
            }
            Ok(found) if !found.is_dir() => {
                return Err(StoreError::Unsupported(format!("{} is no folder", path.display())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && makes => {
                make(path).map_err(fail)?;
                // The folder's own name must last too.
                sync_folder(
                    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")),
                )
                .map_err(fail)?;
            }
            Err(error) => return Err(fail(error)),
        }
        check_ours(path)?;
        if !makes && !path.join(STORE).is_dir() {
            return Err(StoreError::Unsupported(format!("{} holds no store", path.display())));
        }
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))
            .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The name is written after the lock is taken: it may be missing for a moment.
                drop(lock.read_to_string(&mut holder));
                let holder = if holder.is_empty() { "another process" } else { holder.trim() };
                let how = "ask it over HTTP (feature `http`; `ctl ADDRESS` of the examples) or end it";
                return Err(StoreError::Locked(format!("{} is open in {holder}: {how}", path.display())));
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        let folder = Self { path: path.clone(), lock };
        folder.name_holder(None).map_err(fail)?;
        Ok(folder)
    }

    /// Where the complete store is.
    pub(super) fn store(&self) -> PathBuf {
        self.path.join(STORE)
    }

    /// Where the journal is.
    pub(super) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// Where a new store is built.
    pub(super) fn building(&self) -> PathBuf {
        self.path.join(BUILDING)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        sync_folder(&self.path)
    }

    /// Writes into the lock file who has it, for those who are refused.
    pub(super) fn name_holder(&self, instance: Option<u32>) -> io::Result<()> {
        let mut file = &self.lock;
        file.set_len(0)?;
        file.rewind()?;
        match instance {
            Some(instance) => write!(file, "process {} (instance {instance})", process::id()),
            None => write!(file, "process {}", process::id()),
        }
    }
}

impl Drop for Folder {
    /// Closing the file is not enough: a process that another thread has just forked has it open too, until it
    /// runs its own program, and the lock is the open file's.
    fn drop(&mut self) {
        // The end of the last process that has it frees it all the same.
        drop(self.lock.unlock());
    }
}

/// Refuses a folder that something else lives in.
fn check_ours(path: &Path) -> Result<(), StoreError> {
    let mut foreign = None;
    for entry in fs::read_dir(path).map_err(|error| failed("read", path, error))? {
        let name = entry.map_err(|error| failed("read", path, error))?.file_name();
        match name.to_str() {
            Some(LOCK) => return Ok(()),
            _ => foreign = Some(name),
        }
    }
    match foreign {
        None => Ok(()),
        Some(name) => Err(StoreError::Unsupported(format!(
            "{} is no store of longrun: it holds {}",
            path.display(),
            name.display()
        ))),
    }
}

/// Makes a folder that only its owner may enter, and its parents.
pub(super) fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened, and its entries are not ours to sync.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// A snapshot that a crash cut short can stop sled from opening.
pub(super) fn remove_leftovers(store: &Path) -> io::Result<()> {
    for entry in fs::read_dir(store)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Which method the files of a store allow. The flag counts only where folder and data file have it.
pub(super) fn sync_method(store: &Path, wanted: bool) -> SyncMethod {
    let flagged = |path: &Path| has_sync_flag(path).unwrap_or(false) || set_sync_flag(path).unwrap_or(false);
    if wanted && flagged(store) && flagged(&store.join("db")) { SyncMethod::SyncFlag } else { SyncMethod::DataSync }
}

#[cfg(target_os = "linux")]
fn has_sync_flag(path: &Path) -> io::Result<bool> {
    Ok(rustix::fs::ioctl_getflags(File::open(path)?)?.contains(rustix::fs::IFlags::SYNC))
}

/// Sets the flag; files made in a flagged folder inherit it. Answers whether it is set.
#[cfg(target_os = "linux")]
pub(super) fn set_sync_flag(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let flags = rustix::fs::ioctl_getflags(&file)?;
    rustix::fs::ioctl_setflags(&file, flags | rustix::fs::IFlags::SYNC)?;
    Ok(rustix::fs::ioctl_getflags(&file)?.contains(rustix::fs::IFlags::SYNC))
}

#[cfg(not(target_os = "linux"))]
fn has_sync_flag(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn set_sync_flag(_path: &Path) -> io::Result<bool> {
    Ok(false)
}
