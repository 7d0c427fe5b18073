use crate::{Rig, sync_folder};
use powerfs::{Backing, Call, Failure, Fault, Model, Options};
use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::fs::FileExt,
};

const EIO: Option<i32> = Some(5);

#[test]
fn the_nth_write_fails_once() {
    let rig = Rig::new();
    let mut file = File::create(rig.path("file")).unwrap();
    rig.mounted.inject(Fault::on(Call::Write, 2, Failure::Io));
    file.write_all(b"a").unwrap();
    assert_eq!(file.write_all(b"b").unwrap_err().raw_os_error(), EIO);
    file.write_all(b"c").unwrap();
    assert_eq!(fs::read(rig.path("file")).unwrap(), b"ac");
}

#[test]
fn every_write_from_the_nth_fails_until_healed() {
    let rig = Rig::new();
    let mut file = File::create(rig.path("file")).unwrap();
    rig.mounted.inject(Fault::on(Call::Write, 2, Failure::NoSpace).for_good());
    file.write_all(b"a").unwrap();
    for _ in 0..3 {
        assert_eq!(file.write_all(b"b").unwrap_err().kind(), ErrorKind::StorageFull);
    }
    rig.mounted.heal();
    file.write_all(b"c").unwrap();
}

#[test]
fn any_mutating_call_can_fail_and_reading_is_not_counted() {
    let rig = Rig::new();
    rig.mounted.inject(Fault::any(3, Failure::ReadOnly));
    fs::write(rig.path("file"), "two calls").unwrap();
    assert_eq!(fs::read(rig.path("file")).unwrap(), b"two calls");
    assert_eq!(fs::read_dir(rig.path("")).unwrap().count(), 1);
    let refused = fs::create_dir(rig.path("folder")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
    fs::create_dir(rig.path("folder")).unwrap();
}

#[test]
fn a_failure_may_have_taken_effect() {
    let rig = Rig::new();
    rig.mounted.inject(Fault::on(Call::Create, 1, Failure::Io));
    assert!(File::create_new(rig.path("one")).is_err());
    assert!(!rig.path("one").exists());
    rig.mounted.inject(Fault::on(Call::Create, 1, Failure::Io).after_effect());
    assert!(File::create_new(rig.path("two")).is_err());
    assert!(rig.path("two").exists());
}

#[test]
fn a_second_fsync_after_a_failed_one_is_a_false_promise() {
    let rig = Rig::new();
    let file = File::create(rig.path("file")).unwrap();
    sync_folder(rig.path(""));
    file.write_all_at(b"lost", 0).unwrap();
    rig.mounted.inject(Fault::on(Call::Sync, 1, Failure::Io));
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), EIO);
    file.sync_data().unwrap();
    assert_eq!(rig.mounted.image(0, Model::Drop).file("file"), Some([].as_slice()));
    file.write_all_at(b"kept", 0).unwrap();
    file.sync_data().unwrap();
    assert!(rig.draws_of_all().all(|image| image.file("file") == Some(b"kept".as_slice())));
}

#[test]
fn a_full_disk_writes_what_fits_and_recovers() {
    let rig = Rig::with(Backing::Memory, &Options::default().capacity(10_000));
    fs::write(rig.path("ballast"), [0; 6000]).unwrap();
    let mut file = File::create(rig.path("file")).unwrap();
    assert_eq!(file.write(&[1; 6000]).unwrap(), 4000);
    assert_eq!(file.write(&[1; 2000]).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.set_len(4001).unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_all_at(&[2; 4000], 0).expect("overwriting needs no room");
    assert_eq!(rustix::fs::statvfs(rig.path("")).unwrap().f_bavail, 0);

    fs::remove_file(rig.path("ballast")).unwrap();
    file.write_all(&[1; 2000]).unwrap();
    assert!(file.write_all(&[1; 8000]).is_err());
    rig.mounted.set_capacity(Some(20_000));
    file.write_all(&[1; 8000]).unwrap();
}

#[test]
fn room_of_a_removed_file_returns_when_it_is_closed() {
    let rig = Rig::with(Backing::Memory, &Options::default().capacity(4096));
    let open = File::create(rig.path("file")).unwrap();
    open.write_all_at(&[0; 4096], 0).unwrap();
    fs::remove_file(rig.path("file")).unwrap();
    assert!(fs::write(rig.path("other"), "x").is_err());
    drop(open);
    // The kernel tells the file system of a close when it likes.
    crate::until(|| fs::write(rig.path("other"), "x").is_ok());
}
