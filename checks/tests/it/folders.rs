//! FAULTS 47, a fork: a folder is free when its store is closed, whoever has its open files still.

use std::os::fd::OwnedFd;

use longrun::store::{SledOptions, SledStore, Store, StoreError};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use crate::support::{clock, soon};

async fn opened(folder: &std::path::Path) -> Result<SledStore, StoreError> {
    let options = SledOptions::new(folder).cache_bytes(1 << 20).journal_bytes(1 << 22);
    soon("open", SledStore::open_folder(options, clock())).await
}

/// The open lock file as a process has it that was forked from this one and runs nothing of its own yet.
fn forked(folder: &std::path::Path) -> Vec<OwnedFd> {
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let files = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|file| {
        let file = file.unwrap();
        let is_lock = std::fs::read_link(file.path()).is_ok_and(|of| of == folder.join("longrun.lock"));
        let number = file.file_name().to_str().unwrap().parse().unwrap();
        is_lock.then(|| pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).unwrap())
    });
    files.collect()
}

/// A process that starts another while it closes a store must not be told `Locked` when it opens it again: until it
/// runs its own program, the other one shares all open files, and with them the lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_is_free_while_a_forked_process_has_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("jobs");
    let first = opened(&path).await.unwrap();
    let held = forked(&path);
    assert_eq!(held.len(), 1);
    assert!(matches!(opened(&path).await, Err(StoreError::Locked(_))), "it is open still");
    first.close().await.unwrap();
    let again = opened(&path).await.unwrap();
    assert!(matches!(opened(&path).await, Err(StoreError::Locked(_))), "the new one has it");
    drop(held);
    assert!(matches!(opened(&path).await, Err(StoreError::Locked(_))), "and keeps it");
    again.close().await.unwrap();
}
