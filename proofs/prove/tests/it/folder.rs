//! FAULTS 48: a read-only mount and bad permissions are a typed error each, and harm nothing. A symbolic link is
//! refused in the library's own tests.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Who owns nothing.
const NOBODY: u32 = 65_534;

/// A place that everybody may enter, with a program that everybody may run.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        mode(place.0.path(), 0o755);
        fs::copy(env!("CARGO_BIN_EXE_longrun-prove"), place.program()).unwrap();
        mode(&place.program(), 0o755);
        place
    }

    fn program(&self) -> PathBuf {
        self.path("prove")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What the program says of a folder, run by this user.
    fn open_as(&self, user: u32, folder: &Path) -> String {
        let mut command = Command::new(self.program());
        let output = command.arg("open").arg(folder).uid(user).gid(user).current_dir("/").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said.trim_end().to_owned()
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[track_caller]
fn refused(said: &str, why: &str) {
    assert!(said.starts_with("refused, Unavailable: ") && said.contains(why), "{said}");
}

const DENIED: &str = "Permission denied";

#[test]
fn another_users_folder_is_refused() {
    let place = Place::new();
    let store = place.path("store");
    assert_eq!(place.open_as(0, &store), "opened, 0 operations");
    refused(&place.open_as(NOBODY, &store), DENIED);
    assert_eq!(place.open_as(0, &store), "opened, 0 operations");
}

#[test]
fn where_nothing_may_be_made_nothing_is() {
    let place = Place::new();
    refused(&place.open_as(NOBODY, &place.path("missing")), DENIED);
    assert!(!place.path("missing").exists());
    let bare = place.path("bare");
    fs::create_dir(&bare).unwrap();
    chown(&bare, Some(NOBODY), Some(NOBODY)).unwrap();
    mode(&bare, 0o500);
    refused(&place.open_as(NOBODY, &bare), DENIED);
    assert_eq!(names(&bare), 0);
    mode(&bare, 0o700);
    assert_eq!(place.open_as(NOBODY, &bare), "opened, 0 operations");
}

/// Each file and folder of a store, out of reach: refused, and whole when it is given back.
#[test]
fn a_part_that_may_not_be_read_is_refused() {
    let place = Place::new();
    let home = place.path("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    let store = home.join("store");
    assert_eq!(place.open_as(NOBODY, &store), "opened, 0 operations");
    for part in ["longrun.lock", "journal", "store", "store/db", "store/conf"] {
        let part = store.join(part);
        let before = fs::metadata(&part).unwrap().permissions().mode();
        mode(&part, 0);
        refused(&place.open_as(NOBODY, &store), DENIED);
        mode(&part, before);
        assert_eq!(place.open_as(NOBODY, &store), "opened, 0 operations", "{}", part.display());
    }
}

/// A file system in memory, unmounted when this is dropped.
struct Mount(PathBuf);

impl Mount {
    fn at(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        mount(&["-t", "tmpfs", "tmpfs"], &path);
        Self(path)
    }

    fn remount(&self, how: &str) {
        mount(&["-o", how], &self.0);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg("--lazy").arg(&self.0).status().unwrap().success());
    }
}

fn mount(how: &[&str], path: &Path) {
    assert!(Command::new("mount").args(how).arg(path).status().unwrap().success(), "mounts and root are needed");
}

#[test]
fn a_read_only_mount_is_refused() {
    let place = Place::new();
    let disk = Mount::at(place.path("disk"));
    let (store, empty) = (disk.0.join("store"), disk.0.join("empty"));
    fs::create_dir(&empty).unwrap();
    assert_eq!(place.open_as(0, &store), "opened, 0 operations");
    disk.remount("remount,ro");
    for folder in [&store, &empty, &disk.0.join("missing")] {
        refused(&place.open_as(0, folder), "Read-only file system");
    }
    assert_eq!(names(&empty), 0);
    disk.remount("remount,rw");
    assert_eq!(place.open_as(0, &store), "opened, 0 operations");
    assert_eq!(place.open_as(0, &empty), "opened, 0 operations");
}
