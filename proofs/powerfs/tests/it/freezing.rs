use crate::{Rig, sync_folder, until};
use powerfs::{Backing, Call, Frozen, Image, Model, Options};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
};

/// Replaces `name` by writing aside and renaming.
fn replace(folder: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
    let aside = folder.join("name.tmp");
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    if synced {
        file.sync_all()?;
    }
    fs::rename(aside, folder.join("name"))?;
    File::open(folder)?.sync_all()
}

const OLD: &[u8] = &[1; 3000];
const NEW: &[u8] = &[2; 3000];

/// The trees that every cut at every call of a replacement may leave.
fn cut_at_every_call(synced: bool) -> Vec<Image> {
    let mut images = Vec::new();
    let whole = Rig::new();
    replace(whole.mounted.path(), OLD, true).unwrap();
    let before = whole.mounted.image(0, Model::Drop);
    whole.mounted.freeze_at(1_000_000);
    let calls = whole.mounted.calls().mutating();
    replace(whole.mounted.path(), NEW, synced).unwrap();
    let calls = whole.mounted.calls().mutating() - calls;
    assert!(calls >= 4, "{calls}");
    for nth in 1..=calls {
        let rig = Rig::with(Backing::Image(before.clone()), &Options::default().freeze_at(nth));
        assert!(replace(rig.mounted.path(), NEW, synced).is_err(), "the {nth}. call is never answered");
        assert!(rig.mounted.is_frozen());
        assert_eq!(rig.mounted.calls().mutating(), nth);
        assert_eq!(fs::read(rig.path("name")).unwrap_err().raw_os_error(), Some(5));
        images.extend(rig.draws_of_all());
    }
    images
}

#[test]
fn a_replacement_cut_at_every_call_is_old_or_new() {
    let images = cut_at_every_call(true);
    let found = |bytes| images.iter().filter(|image| image.file("name") == Some(bytes)).count();
    assert_eq!(found(OLD) + found(NEW), images.len());
    assert!(found(OLD) > 0 && found(NEW) > 0);
}

#[test]
fn a_replacement_without_its_fsync_is_caught() {
    let images = cut_at_every_call(false);
    assert!(images.iter().any(|image| ![Some(OLD), Some(NEW)].contains(&image.file("name"))));
}

#[test]
fn a_freeze_is_waited_for() {
    let rig = Rig::new();
    rig.mounted.freeze_at(2);
    thread::scope(|scope| {
        scope.spawn(|| fs::write(rig.path("file"), "two calls").unwrap_err());
        assert!(rig.mounted.wait_frozen(std::time::Duration::from_mins(1)));
    });
    assert_eq!(rig.mounted.calls().of(Call::Create), 1);
    assert_eq!(rig.mounted.calls().of(Call::Write), 1);
}

#[test]
fn a_blocking_freeze_ends_with_the_mount() {
    let rig = Rig::with(Backing::Memory, &Options::default().frozen(Frozen::Block).freeze_at(1));
    let path = rig.path("file");
    let blocked = thread::spawn(move || File::create(path));
    until(|| rig.mounted.is_frozen());
    assert!(!blocked.is_finished());
    rig.mounted.unmount().unwrap();
    assert!(blocked.join().unwrap().is_err());
}

#[test]
fn a_recovery_can_be_cut() {
    let rig = Rig::new();
    replace(rig.mounted.path(), OLD, true).unwrap();
    rig.mounted.freeze();
    let again = Rig::with(Backing::Image(rig.mounted.image(0, Model::Drop)), &Options::default());
    fs::write(again.path("recovered"), "loose").unwrap();
    again.mounted.freeze();
    let image = again.mounted.image(0, Model::Drop);
    assert_eq!(image.file("name"), Some(OLD));
    assert!(!image.has("recovered"));
}

#[test]
fn a_folder_is_copied_not_touched() {
    let plain = tempfile::tempdir().unwrap();
    fs::write(plain.path().join("file"), "plain").unwrap();
    let rig = Rig::with(Backing::Folder(plain.path().into()), &Options::default());
    fs::write(rig.path("file"), "other").unwrap();
    sync_folder(rig.path(""));
    assert_eq!(fs::read(plain.path().join("file")).unwrap(), b"plain");
    assert_eq!(rig.mounted.image(0, Model::Drop).file("file"), Some(b"plain".as_slice()));
}

#[test]
fn a_child_process_is_cut_and_killed() {
    let rig = Rig::new();
    let script = "echo kept > kept; sync kept .; echo lost > lost; echo ready; read never";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .current_dir(rig.mounted.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    rig.mounted.freeze();
    child.kill().unwrap();
    child.wait().unwrap();
    let image = rig.mounted.image(0, Model::Drop);
    assert_eq!(image.file("kept"), Some(b"kept\n".as_slice()));
    assert!(!image.has("lost"));
    assert!(rig.mounted.live().has("lost"), "`kill -9` alone would have left it");
}
