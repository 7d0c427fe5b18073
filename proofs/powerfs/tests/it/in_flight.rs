use crate::{Rig, ones, sync_folder, until};
use powerfs::{Backing, Hold, Model, Options};
use rustix::fs::{IFlags, ioctl_setflags};
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    thread,
    time::Duration,
};

const WRITERS: usize = 4;
/// Nothing is answered before the cut.
const NEVER: Hold = Hold { width: WRITERS + 1, longest: Duration::from_hours(1) };

/// A flagged file of four blocks, and a mount that will keep its writes waiting.
fn flagged(hold: Hold) -> (Rig, File) {
    let before = Rig::new();
    fs::write(before.path("file"), vec![0; WRITERS * 4096]).unwrap();
    let file = File::open(before.path("file")).unwrap();
    ioctl_setflags(&file, IFlags::SYNC).unwrap();
    file.sync_all().unwrap();
    sync_folder(before.path(""));
    let image = before.mounted.image(0, Model::Drop);
    let rig = Rig::with(Backing::Image(image), &Options::default().hold(hold));
    let file = OpenOptions::new().write(true).open(rig.path("file")).unwrap();
    (rig, file)
}

#[test]
fn synchronous_writes_in_flight_are_kept_dropped_or_torn_each_on_its_own() {
    let (rig, file) = flagged(NEVER);
    thread::scope(|scope| {
        let write = |at| file.write_all_at(&[1; 4096], at * 4096);
        let writers: Vec<_> = (0..WRITERS as u64).map(|at| scope.spawn(move || write(at))).collect();
        until(|| rig.mounted.loose().in_flight == WRITERS);
        rig.mounted.freeze();
        assert!(writers.into_iter().all(|writer| writer.join().unwrap().is_err()), "none was acknowledged");
    });
    assert_eq!(rig.mounted.loose().in_flight, WRITERS);

    let blocks = |model| -> BTreeSet<Vec<usize>> {
        rig.draws(model).map(|image| image.file("file").unwrap().chunks(4096).map(ones).collect()).collect()
    };
    assert_eq!(blocks(Model::Drop).len(), 1);
    assert_eq!(blocks(Model::Keep).len(), 1 << WRITERS, "every subset");
    assert!(blocks(Model::Torn).iter().flatten().any(|kept| ![0, 4096].contains(kept)));
}

#[test]
fn an_fsync_in_flight_has_promised_nothing() {
    let rig = Rig::with(Backing::Memory, &Options::default().hold(NEVER));
    let file = File::create(rig.path("file")).unwrap();
    file.write_all_at(b"bytes", 0).unwrap();
    thread::scope(|scope| {
        let sync = scope.spawn(|| file.sync_all());
        until(|| rig.mounted.loose().in_flight == 1);
        rig.mounted.freeze();
        assert!(sync.join().unwrap().is_err());
    });
    assert!(!rig.mounted.image(0, Model::Drop).has("file"));
    assert!(rig.draws(Model::Keep).any(|image| image.file("file") == Some(b"bytes".as_slice())));
}

#[test]
fn of_two_syncs_in_flight_only_the_answered_one_has_promised() {
    let hold = Hold { width: 2, longest: NEVER.longest };
    let rig = Rig::with(Backing::Memory, &Options::default().hold(hold));
    let files = ["one", "two"].map(|name| File::create(rig.path(name)).unwrap());
    thread::scope(|scope| {
        let syncs = files.each_ref().map(|file| {
            file.write_all_at(b"bytes", 0).unwrap();
            scope.spawn(|| file.sync_all())
        });
        until(|| syncs.iter().any(thread::ScopedJoinHandle::is_finished));
        rig.mounted.freeze();
        let answered = syncs.map(|sync| sync.join().unwrap().is_ok());
        let image = rig.mounted.image(0, Model::Drop);
        let durable = ["one", "two"].map(|name| image.file(name) == Some(b"bytes"));
        assert_eq!(answered, durable);
        assert_eq!(answered.iter().filter(|&&ok| ok).count(), 1);
    });
}

#[test]
fn the_device_answers_all_in_the_end() {
    let hold = Hold { width: 3, longest: Duration::from_micros(200) };
    let (rig, file) = flagged(hold);
    thread::scope(|scope| {
        for at in 0..WRITERS as u64 {
            let file = &file;
            scope.spawn(move || {
                for _ in 0..50 {
                    file.write_all_at(&[1; 4096], at * 4096).unwrap();
                }
            });
        }
    });
    rig.mounted.freeze();
    assert_eq!(rig.mounted.loose().writes, 0);
    assert_eq!(rig.mounted.image(0, Model::Drop).file("file"), Some([1; WRITERS * 4096].as_slice()));
}
