use crate::{Rig, ones, sync_folder};
use powerfs::Model;
use rustix::fs::OFlags;
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{FileExt, OpenOptionsExt},
};

/// A file that is durable as it is, in a folder that is.
fn settled(rig: &Rig, bytes: &[u8]) -> File {
    let file = OpenOptions::new().create_new(true).read(true).write(true).open(rig.path("file")).unwrap();
    (&file).write_all(bytes).unwrap();
    file.sync_all().unwrap();
    sync_folder(rig.path(""));
    file
}

#[test]
fn what_was_synced_is_kept_by_every_model() {
    let rig = Rig::new();
    settled(&rig, b"kept");
    rig.mounted.freeze();
    for image in rig.draws_of_all() {
        assert_eq!(image.file("file"), Some(b"kept".as_slice()));
    }
}

#[test]
fn fdatasync_keeps_length_and_bytes() {
    let rig = Rig::new();
    let file = settled(&rig, b"");
    file.write_all_at(b"data", 0).unwrap();
    file.sync_data().unwrap();
    rig.mounted.freeze();
    assert!(rig.draws_of_all().all(|image| image.file("file") == Some(b"data".as_slice())));
}

#[test]
fn what_was_not_synced_is_gone_under_drop() {
    let rig = Rig::new();
    let file = settled(&rig, b"old");
    file.write_all_at(b"new", 0).unwrap();
    fs::write(rig.path("other"), "never").unwrap();
    assert_eq!(fs::read(rig.path("file")).unwrap(), b"new", "the live state has it");
    rig.mounted.freeze();
    for image in rig.draws(Model::Drop) {
        assert_eq!(image.file("file"), Some(b"old".as_slice()));
        assert!(!image.has("other"));
    }
}

#[test]
fn keep_finds_every_subset_of_the_writes() {
    let rig = Rig::new();
    let file = settled(&rig, b"...");
    for at in 0..3 {
        file.write_all_at(b"x", at).unwrap();
    }
    rig.mounted.freeze();
    let found: BTreeSet<Vec<u8>> =
        rig.draws(Model::Keep).map(|image| image.file("file").unwrap().to_vec()).collect();
    assert_eq!(found.len(), 8, "{found:?}");
}

#[test]
fn torn_writes_are_torn_at_sectors_and_nowhere_else() {
    let rig = Rig::new();
    let file = settled(&rig, &[0; 4096]);
    file.write_all_at(&[1; 2048], 256).unwrap();
    rig.mounted.freeze();
    let mut torn = 0;
    for image in rig.draws(Model::Torn) {
        let bytes = image.file("file").unwrap();
        let edges: Vec<usize> = (1..bytes.len()).filter(|&at| bytes[at - 1] != bytes[at]).collect();
        assert!(edges.iter().all(|at| at % 512 == 0 || [256, 2304].contains(at)), "{edges:?}");
        torn += usize::from(edges.iter().any(|at| at % 512 == 0));
    }
    assert!(torn > 0);
    assert!(rig.draws(Model::Keep).all(|image| {
        let kept = ones(image.file("file").unwrap());
        kept == 0 || kept == 2048
    }));
}

#[test]
fn a_file_opened_for_synchronous_writes_needs_no_sync() {
    for flag in [OFlags::SYNC, OFlags::DSYNC] {
        let rig = Rig::new();
        drop(settled(&rig, b""));
        let flag = i32::try_from(flag.bits()).unwrap();
        let file = OpenOptions::new().write(true).custom_flags(flag).open(rig.path("file")).unwrap();
        file.write_all_at(b"kept", 0).unwrap();
        rig.mounted.freeze();
        assert!(rig.draws_of_all().all(|image| image.file("file") == Some(b"kept".as_slice())));
    }
}

#[test]
fn the_same_seed_draws_the_same_tree() {
    let rig = Rig::new();
    let file = settled(&rig, &[0; 8192]);
    for at in 0..16 {
        file.write_all_at(&[1; 700], at * 400).unwrap();
    }
    rig.mounted.freeze();
    for model in Model::ALL {
        let once = rig.mounted.image(7, model);
        assert_eq!(once.file("file"), rig.mounted.image(7, model).file("file"));
    }
    assert_ne!(rig.mounted.image(1, Model::Torn).file("file"), rig.mounted.image(2, Model::Torn).file("file"));
}

#[test]
fn a_cut_is_written_to_an_empty_folder_only() {
    let rig = Rig::new();
    settled(&rig, b"kept");
    rig.mounted.freeze();
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("after");
    rig.mounted.cut(1, Model::Torn, &into).unwrap();
    assert_eq!(fs::read(into.join("file")).unwrap(), b"kept");
    assert!(rig.mounted.cut(2, Model::Torn, &into).is_err());
}
