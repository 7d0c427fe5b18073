//! FAULTS 43, 44, 47, 48: whose a folder is, who has it open, and what cannot be opened.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use longrun::model::{Patch, Status};
use longrun::store::embedded::{Embedded, Engine};
use longrun::store::{MemoryEngine, MemoryStore, SledOptions, SledStore, Store, StoreError};
use longrun::{ErrorKind, Tracker};

use crate::support::{after, clock, new, put, put_eventual, soon};

async fn open(path: &Path) -> Result<SledStore, StoreError> {
    soon(
        "open",
        SledStore::open_folder(SledOptions::new(path).cache_bytes(1 << 20).journal_bytes(1 << 22), clock()),
    )
    .await
}

/// What a child that this test starts does: holds the folder until its standard input ends.
#[tokio::test(flavor = "multi_thread")]
async fn child_holds_the_folder() {
    let Some(path) = std::env::var_os("LONGRUN_TEST_FOLDER") else { return };
    let store = open(Path::new(&path)).await.unwrap();
    put(&store, None, &new("held")).await;
    println!("\nholding");
    std::io::stdout().flush().unwrap();
    std::io::stdin().lines().for_each(drop);
    unreachable!("the parent kills before it lets go");
}

/// FAULTS 47 between processes: the second is refused at once and told by whom; kill -9 frees the lock and
/// loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sled_folder::child_holds_the_folder", "--nocapture"])
        .env("LONGRUN_TEST_FOLDER", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"), "the child must open the folder");
    match open(&path).await {
        Err(StoreError::Locked(who)) => assert!(who.contains(&format!("process {}", child.id())), "{who}"),
        other => panic!("{other:?}"),
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let store = open(&path).await.unwrap();
    assert_eq!(store.load(new("held").id()).await.unwrap(), Some(new("held")));
    assert_eq!(soon("verify", store.verify()).await.unwrap().problems, [""; 0]);
    store.close().await.unwrap();
}

/// FAULTS 47 within one process; closing and dropping free the folder.
#[tokio::test(flavor = "multi_thread")]
async fn two_opens_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/store");
    let store = open(&path).await.unwrap();
    match open(&path).await {
        Err(StoreError::Locked(who)) => {
            assert!(who.contains(&format!("process {} (instance 1)", std::process::id())), "{who}");
        }
        other => panic!("{other:?}"),
    }
    put(&store, None, &new("a")).await;
    put_eventual(&store, Some(&new("a")), &after(&new("a"), &Patch::new().detail("x"))).await;
    store.close().await.unwrap();
    let again = open(&path).await.unwrap();
    // Eventual, and still: close drains.
    assert_eq!(again.load(new("a").id()).await.unwrap().unwrap().detail(), Some("x"));
    drop(again);
    assert_eq!(open(&path).await.unwrap().opened().instance, 3);
}

/// FAULTS 48: a folder of our own, for its owner alone; no link, no file, nobody else's.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_a_folder_of_our_own() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("real");
    open(&real).await.unwrap().close().await.unwrap();
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o700);
    // FAULTS 10: only known names.
    let mut names: Vec<_> = fs::read_dir(&real).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["journal", "longrun.lock", "store"]);

    let link = folder.path().join("link");
    symlink(&real, &link).unwrap();
    for path in [link.clone(), folder.path().join("link/")] {
        let refused = open(&path).await;
        assert!(
            matches!(&refused, Err(StoreError::Unsupported(what)) if what.contains("link")),
            "{path:?}: {refused:?}"
        );
    }
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(open(&file).await, Err(StoreError::Unsupported(_))));
    let under = open(&file.join("store")).await;
    assert!(matches!(under, Err(StoreError::Unavailable { definite: true, .. })), "{under:?}");
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("precious"), "x").unwrap();
    let refused = open(&foreign).await;
    assert!(matches!(&refused, Err(StoreError::Unsupported(what)) if what.contains("precious")), "{refused:?}");
    // Nothing was put beside it.
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    open(&empty).await.unwrap();
}

/// FAULTS 44 for the files of sled: emptied, cut, replaced, gone. Refused with a name, or whole.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_refused() {
    let damages: [Damage; 6] = [
        ("db emptied", |store| cut(&store.join("db"), 0)),
        ("db cut to a half", |store| cut(&store.join("db"), length(&store.join("db")) / 2)),
        ("db of zeros", |store| {
            let db = store.join("db");
            fs::write(&db, vec![0; usize::try_from(length(&db)).unwrap()]).unwrap();
        }),
        ("db of text", |store| {
            let db = store.join("db");
            fs::write(&db, b"foreign ".repeat(usize::try_from(length(&db)).unwrap() / 8)).unwrap();
        }),
        ("conf emptied", |store| fs::write(store.join("conf"), "").unwrap()),
        ("db gone", |store| fs::remove_file(store.join("db")).unwrap()),
    ];
    for (what, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let store = open(&path).await.unwrap();
        for number in 0..50 {
            put(&store, None, &new(&format!("op-{number}"))).await;
        }
        store.close().await.unwrap();
        drop(store);
        damage(&path.join("store"));
        match open(&path).await {
            Err(StoreError::Corrupt(named) | StoreError::Unsupported(named)) => {
                assert!(named.contains("store"), "{what}: {named}");
            }
            Err(other) => panic!("{what}: {other:?}"),
            Ok(store) => {
                let total = store.counts().await.unwrap().total();
                assert_eq!(total, 50, "{what}: opened, and not whole");
            }
        }
        // The refusal freed the folder.
        assert!(!matches!(open(&path).await, Err(StoreError::Locked(_))), "{what}");
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

fn cut(path: &Path, length: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// What is done to a value below the store.
type Plant = Box<dyn Fn(&mut Vec<u8>)>;
/// What is done to a store's folder.
type Damage = (&'static str, fn(&Path));

/// FAULTS 44 for what the store itself keeps: a newer layout, another's record, records newer or damaged.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_read_are_named() {
    let own = b"\0longrun";
    let name = [&[2], "op".as_bytes()].concat();
    let reseal = |bytes: &mut Vec<u8>| {
        let body = bytes.len() - 4;
        let sum = crc32fast::hash(&bytes[..body]).to_le_bytes();
        bytes[body..].copy_from_slice(&sum);
    };
    let plants: [(&[u8], &str, bool, Plant); 6] = [
        (
            own,
            "layout 2 is newer",
            false,
            Box::new(move |bytes| {
                bytes[8] = 2;
                reseal(bytes);
            }),
        ),
        (
            own,
            "something else",
            false,
            Box::new(move |bytes| {
                bytes[0] = b'L';
                reseal(bytes);
            }),
        ),
        (own, "own record", true, Box::new(|bytes| bytes[20] ^= 1)),
        (own, "own record", true, Box::new(|bytes| bytes.truncate(10))),
        (&name, "record op", true, Box::new(|bytes| *bytes.last_mut().unwrap() ^= 1)),
        (&name, "record op", true, Box::new(Vec::clear)),
    ];
    for (key, named, corrupt, plant) in plants {
        let engine = MemoryEngine::default();
        let store = MemoryStore::over(engine.clone(), clock()).await.unwrap();
        put(&store, None, &new("op")).await;
        store.close().await.unwrap();
        let mut bytes = engine.get(key).unwrap().unwrap();
        plant(&mut bytes);
        engine.put(key, &bytes).unwrap();
        match MemoryStore::over(engine, clock()).await {
            Err(StoreError::Corrupt(what)) if corrupt => assert!(what.contains(named), "{what}"),
            Err(StoreError::Unsupported(what)) if !corrupt => assert!(what.contains(named), "{what}"),
            other => panic!("{named}: {other:?}"),
        }
    }
}

/// To look takes no instance and refuses writes.
#[tokio::test(flavor = "multi_thread")]
async fn inspecting_changes_nothing() {
    let engine = MemoryEngine::default();
    let store = MemoryStore::over(engine.clone(), clock()).await.unwrap();
    let running = after(&new("a"), &Patch::new().status(Status::Running));
    put(&store, None, &running).await;
    let opened = store.opened();
    store.close().await.unwrap();
    let (own, shared) = (engine.get(b"\0longrun").unwrap(), engine.clone());
    let looking = Embedded::inspect(move || Ok(shared.clone()), clock(), true).await.unwrap();
    assert_eq!((looking.opened().store, looking.opened().instance), (opened.store, opened.instance));
    assert_eq!(looking.load(running.id()).await.unwrap(), Some(running.clone()));
    let refused = looking.remove(running.id(), running.version()).await;
    assert!(matches!(refused, Err(StoreError::Unsupported(_))), "{refused:?}");
    assert_eq!(soon("verify", looking.verify()).await.unwrap().problems, [""; 0]);
    looking.close().await.unwrap();
    assert_eq!(engine.get(b"\0longrun").unwrap(), own);
}

/// To look at a folder makes none, and lists what a process left that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn inspecting_a_folder_makes_none_and_lists_orphans() {
    let place = tempfile::tempdir().unwrap();
    let (jobs, copy) = (place.path().join("jobs"), place.path().join("copy"));
    let inspect = async |path: &std::path::Path| Tracker::builder().inspect().open(path).await;
    assert_eq!(inspect(&jobs).await.unwrap_err().kind(), ErrorKind::Unavailable);
    std::fs::create_dir(&jobs).unwrap();
    assert_eq!(inspect(&jobs).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(std::fs::read_dir(&jobs).unwrap().count(), 0, "not even a lock");

    let tracker = Tracker::open(&jobs).await.unwrap();
    let id = tracker.create(longrun::NewOperation::untyped()).await.unwrap().id().clone();
    let run = tracker.start(&id).await.unwrap();
    let locked = inspect(&jobs).await.unwrap_err();
    let text = std::error::Error::source(&locked).map_or_else(|| locked.to_string(), ToString::to_string);
    assert_eq!(locked.kind(), ErrorKind::Locked);
    assert!(text.contains(&format!("process {}", std::process::id())) && text.contains("ctl ADDRESS"), "{text}");
    // As a kill would leave it.
    assert!(std::process::Command::new("cp").arg("-a").args([&jobs, &copy]).status().unwrap().success());
    drop(run);
    for _ in 0..2 {
        let looks = inspect(&copy).await.unwrap();
        assert_eq!(looks.recovery(), std::slice::from_ref(&id));
        assert_eq!(looks.get(&id).await.unwrap().status(), Status::Running);
        looks.sweep().await.unwrap();
        looks.close(Duration::ZERO).await.unwrap();
    }
    assert_eq!(Tracker::open(&copy).await.unwrap().recovery(), [id]);
}
