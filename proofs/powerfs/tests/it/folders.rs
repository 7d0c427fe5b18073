use crate::{Rig, sync_folder};
use powerfs::{Image, Model};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::Path,
};

fn write_synced(path: impl AsRef<Path>, bytes: &str) {
    fs::write(&path, bytes).unwrap();
    File::open(path).unwrap().sync_all().unwrap();
}

fn names(image: &Image) -> Vec<String> {
    image.files().iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

#[test]
fn a_synced_file_has_no_name_under_strict_folder() {
    let rig = Rig::new();
    write_synced(rig.path("file"), "bytes");
    rig.mounted.freeze();
    assert!(rig.draws(Model::StrictFolder).all(|image| !image.has("file")));
    for model in [Model::Drop, Model::Keep, Model::Torn] {
        assert!(rig.draws(model).all(|image| image.file("file") == Some(b"bytes".as_slice())));
    }
}

#[test]
fn a_rename_is_rolled_back_until_the_folder_is_synced() {
    let rig = Rig::new();
    write_synced(rig.path("name"), "old");
    sync_folder(rig.path(""));
    write_synced(rig.path("name.tmp"), "new");
    fs::rename(rig.path("name.tmp"), rig.path("name")).unwrap();
    assert!(rig.draws(Model::StrictFolder).all(|image| names(&image) == ["name"]));
    assert!(rig.draws(Model::StrictFolder).all(|image| image.file("name") == Some(b"old".as_slice())));
    let journalled: BTreeSet<_> = rig.draws(Model::Keep).map(|image| names(&image)).collect();
    assert_eq!(journalled.len(), 2, "before and after the rename: {journalled:?}");
    sync_folder(rig.path(""));
    rig.mounted.freeze();
    for image in rig.draws_of_all() {
        assert_eq!(names(&image), ["name"]);
        assert_eq!(image.file("name"), Some(b"new".as_slice()));
    }
}

#[test]
fn a_removal_is_undone_until_the_folder_is_synced() {
    let rig = Rig::new();
    write_synced(rig.path("file"), "bytes");
    sync_folder(rig.path(""));
    fs::remove_file(rig.path("file")).unwrap();
    assert!(rig.draws(Model::StrictFolder).all(|image| image.file("file") == Some(b"bytes".as_slice())));
    sync_folder(rig.path(""));
    assert!(rig.draws_of_all().all(|image| !image.has("file")));
}

#[test]
fn a_new_folder_needs_its_parents_sync() {
    let rig = Rig::new();
    fs::create_dir(rig.path("folder")).unwrap();
    write_synced(rig.path("folder/file"), "bytes");
    sync_folder(rig.path("folder"));
    assert!(rig.draws(Model::StrictFolder).all(|image| !image.has("folder")));
    assert!(rig.draws(Model::Drop).all(|image| image.has("folder/file")), "a journal takes the parents along");
    sync_folder(rig.path(""));
    assert!(rig.draws_of_all().all(|image| image.file("folder/file") == Some(b"bytes".as_slice())));
}

#[test]
fn a_folder_built_aside_and_renamed_is_whole_or_absent() {
    let rig = Rig::new();
    fs::create_dir(rig.path("db.tmp")).unwrap();
    for name in ["one", "two"] {
        write_synced(rig.path("db.tmp").join(name), name);
    }
    sync_folder(rig.path("db.tmp"));
    fs::rename(rig.path("db.tmp"), rig.path("db")).unwrap();
    for image in rig.draws_of_all() {
        assert!(!image.has("db") || (image.has("db/one") && image.has("db/two")));
    }
    sync_folder(rig.path(""));
    assert!(rig.draws_of_all().all(|image| names(&image) == ["db/one", "db/two"]));
}

#[test]
fn a_move_between_folders_never_loses_the_file() {
    for synced in ["from", "to"] {
        let rig = Rig::new();
        fs::create_dir(rig.path("from")).unwrap();
        fs::create_dir(rig.path("to")).unwrap();
        write_synced(rig.path("from/file"), "bytes");
        for folder in ["from", "to", ""] {
            sync_folder(rig.path(folder));
        }
        fs::rename(rig.path("from/file"), rig.path("to/file")).unwrap();
        assert!(rig.draws(Model::StrictFolder).all(|image| names(&image) == ["from/file"]));
        sync_folder(rig.path(synced));
        assert!(rig.draws_of_all().all(|image| names(&image) == ["to/file"]));
    }
}
