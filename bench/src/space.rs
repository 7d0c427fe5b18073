//! What a measurement takes: memory of this process, bytes of a folder.

use std::{fs, io, path::Path};

/// Resident memory of this process, in bytes; `None` where `/proc` does not tell.
#[must_use]
pub fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The bytes that the folder's files occupy on disk.
///
/// # Errors
/// The folder cannot be read.
pub fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A store may remove a file of its own between listing and asking.
        let Ok(about) = entry.metadata() else { continue };
        bytes += if about.is_dir() { folder_bytes(&entry.path()).unwrap_or(0) } else { occupied(&about) };
    }
    Ok(bytes)
}

#[cfg(unix)]
fn occupied(about: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    about.blocks() * 512
}

#[cfg(not(unix))]
fn occupied(about: &fs::Metadata) -> u64 {
    about.len()
}
