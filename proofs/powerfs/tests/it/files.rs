//! What a program expects of any file system.

use crate::Rig;
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt},
    thread,
};

#[test]
fn appends_from_many_threads_are_all_there() {
    let rig = Rig::new();
    thread::scope(|scope| {
        for thread in 0..8u8 {
            let path = rig.path("log");
            scope.spawn(move || {
                let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
                (0..50).for_each(|_| file.write_all(&[thread; 16]).unwrap());
            });
        }
    });
    let bytes = fs::read(rig.path("log")).unwrap();
    assert_eq!(bytes.len(), 8 * 50 * 16);
    for thread in 0..8u8 {
        assert_eq!(bytes.chunks(16).filter(|chunk| *chunk == [thread; 16]).count(), 50);
    }
}

#[test]
fn lengths_shrink_grow_and_leave_zeros() {
    let rig = Rig::new();
    let mut file = OpenOptions::new().create_new(true).read(true).write(true).open(rig.path("file")).unwrap();
    file.write_all(b"abcdef").unwrap();
    file.set_len(3).unwrap();
    file.set_len(5).unwrap();
    file.write_all_at(b"x", 7).unwrap();
    file.seek(SeekFrom::Start(1)).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"bc\0\0\0\0x");
    assert_eq!(file.metadata().unwrap().len(), 8);
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 20).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 20);
    drop(File::create(rig.path("file")).unwrap());
    assert_eq!(file.metadata().unwrap().len(), 0);
}

#[test]
fn large_writes_come_back_whole() {
    let rig = Rig::new();
    let bytes: Vec<u8> = (0..5_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(rig.path("large"), &bytes).unwrap();
    assert!(fs::read(rig.path("large")).unwrap() == bytes);
    fs::copy(rig.path("large"), rig.path("copy")).unwrap();
    assert!(fs::read(rig.path("copy")).unwrap() == bytes);
}

#[test]
fn a_large_folder_is_listed_and_removed_whole() {
    let rig = Rig::new();
    fs::create_dir_all(rig.path("a/b")).unwrap();
    let names: BTreeSet<String> = (0..2000).map(|at| format!("file-{at:04}-{}", "x".repeat(40))).collect();
    for name in &names {
        fs::write(rig.path("a/b").join(name), "").unwrap();
    }
    let listed: BTreeSet<String> = fs::read_dir(rig.path("a/b"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(listed, names);
    assert_eq!(fs::remove_dir(rig.path("a/b")).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    fs::remove_dir_all(rig.path("a")).unwrap();
    assert_eq!(fs::read_dir(rig.path("")).unwrap().count(), 0);
}

#[test]
fn locks_exclude_and_are_freed() {
    let rig = Rig::new();
    let first = File::create(rig.path("lock")).unwrap();
    let second = File::open(rig.path("lock")).unwrap();
    first.try_lock().unwrap();
    assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
    drop(first);
    second.try_lock().unwrap();
}

#[test]
fn names_modes_and_links() {
    let rig = Rig::new();
    fs::write(rig.path("one"), "bytes").unwrap();
    fs::hard_link(rig.path("one"), rig.path("two")).unwrap();
    assert_eq!(fs::metadata(rig.path("one")).unwrap().nlink(), 2);
    fs::set_permissions(rig.path("one"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(fs::metadata(rig.path("two")).unwrap().mode() & 0o777, 0o600);
    fs::remove_file(rig.path("one")).unwrap();
    assert_eq!(fs::read(rig.path("two")).unwrap(), b"bytes");
    assert_eq!(fs::read(rig.path("one")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(File::create_new(rig.path("two")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    fs::create_dir(rig.path("folder")).unwrap();
    assert!(fs::rename(rig.path("two"), rig.path("folder")).is_err());
}

#[test]
fn a_removed_file_is_read_by_who_has_it_open() {
    let rig = Rig::new();
    fs::write(rig.path("file"), "bytes").unwrap();
    let mut open = File::open(rig.path("file")).unwrap();
    fs::remove_file(rig.path("file")).unwrap();
    let mut bytes = String::new();
    open.read_to_string(&mut bytes).unwrap();
    assert_eq!(bytes, "bytes");
}
