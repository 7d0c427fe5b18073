use crate::{Rig, sync_folder};
use powerfs::{Backing, Model, Options, SyncFlag};
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use rustix::io::Errno;
use std::{
    fs::{self, File},
    io::Write,
};

/// Writes one file in a flagged folder, and syncs folders alone.
fn write_flagged(rig: &Rig) {
    let folder = rig.path("flagged");
    fs::create_dir(&folder).unwrap();
    ioctl_setflags(File::open(&folder).unwrap(), IFlags::SYNC).unwrap();
    let mut file = File::create(folder.join("file")).unwrap();
    assert!(ioctl_getflags(&file).unwrap().contains(IFlags::SYNC), "inherited");
    sync_folder(&folder);
    sync_folder(rig.path(""));
    file.write_all(b"kept").unwrap();
}

#[test]
fn a_flagged_file_needs_no_sync() {
    let rig = Rig::new();
    write_flagged(&rig);
    rig.mounted.freeze();
    assert!(rig.draws_of_all().all(|image| image.file("flagged/file") == Some(b"kept".as_slice())));
}

#[test]
fn a_disk_that_lies_about_the_flag_loses() {
    let rig = Rig::with(Backing::Memory, &Options::default().sync_flag(SyncFlag::Ignored));
    write_flagged(&rig);
    rig.mounted.freeze();
    assert_eq!(rig.mounted.image(1, Model::Drop).file("flagged/file"), Some([].as_slice()));
}

#[test]
fn a_file_system_without_the_flag_says_so() {
    let rig = Rig::with(Backing::Memory, &Options::default().sync_flag(SyncFlag::Refused));
    let file = File::create(rig.path("file")).unwrap();
    for result in [ioctl_setflags(&file, IFlags::SYNC), ioctl_getflags(&file).map(drop)] {
        assert_eq!(result, Err(Errno::NOTTY));
    }
    let folder = File::open(rig.path("")).unwrap();
    assert_eq!(ioctl_setflags(&folder, IFlags::SYNC), Err(Errno::NOTTY));
}

#[test]
fn the_flag_survives_only_when_synced_and_then_a_second_mount() {
    let rig = Rig::new();
    let file = File::create(rig.path("file")).unwrap();
    file.sync_all().unwrap();
    sync_folder(rig.path(""));
    ioctl_setflags(&file, IFlags::SYNC).unwrap();
    let before = rig.mounted.image(1, Model::Drop);
    file.sync_all().unwrap();
    let after = rig.mounted.image(1, Model::Drop);
    for (image, flagged) in [(before, false), (after, true)] {
        let again = Rig::with(Backing::Image(image), &Options::default());
        let flags = ioctl_getflags(File::open(again.path("file")).unwrap()).unwrap();
        assert_eq!(flags.contains(IFlags::SYNC), flagged);
    }
}
