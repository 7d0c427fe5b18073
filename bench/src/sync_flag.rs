//! The inode's sync flag: a file made in a flagged folder is written through, so that each write is durable by itself.

use std::{fs::File, io, path::Path};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

/// Flags the folder; `false` where the file system has no such flag.
///
/// # Errors
/// The folder cannot be opened.
pub fn set(folder: &Path) -> io::Result<bool> {
    let handle = File::open(folder)?;
    let set = ioctl_getflags(&handle).and_then(|flags| ioctl_setflags(&handle, flags | IFlags::SYNC));
    Ok(set.is_ok())
}

/// Whether a file or folder carries the flag.
///
/// # Errors
/// It cannot be opened.
pub fn is_set(path: &Path) -> io::Result<bool> {
    let handle = File::open(path)?;
    Ok(ioctl_getflags(&handle).is_ok_and(|flags| flags.contains(IFlags::SYNC)))
}
