//! A store on raw sled that keeps, or breaks, each rule of durability, and the oracle of what it acknowledged.

use crate::{Rig, until};
use fastrand::Rng;
use powerfs::{Image, SyncFlag};
use rustix::fs::{IFlags, ioctl_setflags};
use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const WRITERS: usize = 8;
const KEYS: usize = 40;

/// Which syncs a store makes.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one sync, removed on its own")]
pub(super) struct Rules {
    /// `conf` is synced after the first open.
    pub(super) conf: bool,
    /// The folder and its parent are synced after the first open.
    pub(super) folder: bool,
    /// `fdatasync` follows every `flush`.
    pub(super) data: bool,
    /// The folder gets the sync flag before sled sees it.
    pub(super) flag: bool,
    /// What the file system makes of the flag.
    pub(super) disk: SyncFlag,
    /// One caller flushes for all that wait; else each for itself.
    pub(super) grouped: bool,
    /// sled's segment: the unit that is written, freed and written again.
    pub(super) segment: usize,
    /// The longest value.
    pub(super) value: usize,
}

pub(super) const BY_FDATASYNC: Rules = Rules {
    conf: true,
    folder: true,
    data: true,
    flag: false,
    disk: SyncFlag::Refused,
    grouped: true,
    segment: 1 << 19,
    value: 400,
};

pub(super) const BY_FLAG: Rules = Rules { data: false, flag: true, disk: SyncFlag::Honoured, ..BY_FDATASYNC };

pub(super) struct Store {
    db: sled::Db,
    data: File,
    rules: Rules,
    inserted: AtomicU64,
    durable: Mutex<u64>,
}

impl Store {
    pub(super) fn open(folder: &Path, rules: Rules) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        if rules.flag {
            ioctl_setflags(File::open(folder)?, IFlags::SYNC)?;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "generating") {
                fs::remove_file(path)?;
            }
        }
        let config = sled::Config::new().path(folder).flush_every_ms(None).cache_capacity(1 << 20);
        let db = config.segment_size(rules.segment).open().map_err(io::Error::other)?;
        if rules.conf {
            File::open(folder.join("conf"))?.sync_all()?;
        }
        let data = File::open(folder.join("db"))?;
        data.sync_all()?;
        if rules.folder {
            File::open(folder)?.sync_all()?;
            File::open(folder.join(".."))?.sync_all()?;
        }
        Ok(Self { db, data, rules, inserted: AtomicU64::new(0), durable: Mutex::new(0) })
    }

    fn put(&self, key: &str, value: &[u8]) -> io::Result<()> {
        self.db.insert(key, value).map_err(io::Error::other)?;
        if !self.rules.grouped {
            return self.sync();
        }
        let ticket = self.inserted.fetch_add(1, Ordering::SeqCst);
        let mut durable = self.durable.lock().map_err(|_| io::Error::other("a flush has panicked"))?;
        if *durable <= ticket {
            let upto = self.inserted.load(Ordering::SeqCst);
            self.sync()?;
            *durable = upto;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.db.flush().map_err(io::Error::other)?;
        if self.rules.data { self.data.sync_data() } else { Ok(()) }
    }

    /// Fills segments and frees them again: only writes below the file's end go to the disk side by side.
    pub(super) fn churn(&self, rng: &mut Rng) {
        for round in 0..4000 {
            let value = vec![b'.'; rng.usize(1..self.rules.value)];
            self.db.insert(format!("churn/{}", round % 100), value).unwrap();
        }
        self.sync().unwrap();
    }

    fn write(&self, writer: usize, seed: u64, oracle: &Oracle) {
        let mut rng = Rng::with_seed(seed ^ writer as u64);
        for number in 1.. {
            let at = writer * KEYS + rng.usize(..KEYS);
            let mut value = format!("{number} ").into_bytes();
            value.resize(rng.usize(20..self.rules.value), b'.');
            oracle.0[at].tried.store(number, Ordering::SeqCst);
            if self.put(&key(at), &value).is_err() {
                break;
            }
            oracle.0[at].acknowledged.store(number, Ordering::SeqCst);
        }
    }
}

/// Eight writers, until the power is cut.
///
/// After an error sled may leave who waits in `flush` waiting for ever: the write of a buffer that `insert` handed
/// over fails without waking anybody. So those that do not come back are left behind, and have been told nothing.
pub(super) fn write_until_cut(store: Store, rig: &Rig, seed: u64) -> Arc<Oracle> {
    const GRACE: Duration = Duration::from_millis(200);
    let store = Arc::new(store);
    let oracle = Arc::new(Oracle::new(WRITERS * KEYS));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, oracle) = (store.clone(), oracle.clone());
            thread::spawn(move || {
                store.write(writer, seed, &oracle);
                shut(store);
            })
        })
        .collect();
    thread::spawn(move || shut(store));
    until(|| rig.mounted.is_frozen());
    let frozen = Instant::now();
    while frozen.elapsed() < GRACE && !writers.iter().all(thread::JoinHandle::is_finished) {
        thread::yield_now();
    }
    oracle
}

/// sled unwraps the result of its last sync.
pub(super) fn shut<T>(store: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(store)));
}

/// Of one key the number that was acknowledged last, and the one that was tried last.
#[derive(Default)]
struct Numbers {
    acknowledged: AtomicU64,
    tried: AtomicU64,
}

/// What the writers know.
pub(super) struct Oracle(Vec<Numbers>);

impl Oracle {
    pub(super) fn new(keys: usize) -> Self {
        Self((0..keys).map(|_| Numbers::default()).collect())
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.0.iter().filter(|numbers| numbers.acknowledged.load(Ordering::SeqCst) > 0).count()
    }

    fn agrees(&self, db: &sled::Db) -> bool {
        self.0.iter().enumerate().all(|(at, numbers)| {
            let expected = numbers.acknowledged.load(Ordering::SeqCst)..=numbers.tried.load(Ordering::SeqCst);
            let found = db.get(key(at)).ok().and_then(|value| value.map_or(Some(0), |value| number(&value)));
            found.is_some_and(|number| expected.contains(&number))
        })
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Clean,
    Lost,
    NotOpened,
}

/// Opens what a cut has left, on a plain folder.
pub(super) fn judge(image: &Image, oracle: &Oracle, rules: Rules) -> Verdict {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    image.write_to(folder.path()).unwrap();
    let rules = Rules { segment: rules.segment, ..BY_FDATASYNC };
    match caught(|| Store::open(&folder.path().join("db"), rules)) {
        Ok(store) if caught(|| Ok(oracle.agrees(&store.db))).unwrap_or(false) => Verdict::Clean,
        Ok(_) => Verdict::Lost,
        Err(_) => Verdict::NotOpened,
    }
}

/// sled panics where it could fail.
pub(super) fn caught<T>(run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(io::Error::other("panicked")))
}

fn key(at: usize) -> String {
    format!("{}/{:04}", at / KEYS, at % KEYS)
}

fn number(value: &[u8]) -> Option<u64> {
    str::from_utf8(value).ok()?.split(' ').next()?.parse().ok()
}
