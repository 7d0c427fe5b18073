//! FAULTS 40 to 42, power cuts: under load, inside first creation, inside recovery; and the teeth, one sync removed each.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use powerfs::{Backing, Forgotten, Hold, Image, Model, Mounted, Options, PowerFs, SyncFlag};

use crate::child::Orders;
use crate::oracle::{Oracle, Settled};
use crate::plan::Mix;
use crate::process::Writing;
use crate::reopen::look;
use crate::tally::Tally;
use crate::{Outcome, print, scratch};

const WRITERS: u32 = 8;
/// A file system that was told to fail has done so after this time, or the child was done before.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the store makes its writes durable, as far as the disk lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cure {
    Flag,
    DataSync,
}

impl Cure {
    fn disk(self) -> SyncFlag {
        match self {
            Self::Flag => SyncFlag::Honoured,
            Self::DataSync => SyncFlag::Refused,
        }
    }
}

/// A mounted disk; its folder goes after it.
struct Disk {
    mounted: Mounted,
    _folder: tempfile::TempDir,
}

impl Disk {
    fn mount(backing: Backing, options: &Options) -> Outcome<Self> {
        let folder = scratch()?;
        let mounted = PowerFs::mount(folder.path(), backing, options)
            .map_err(|error| format!("FUSE and root are needed: {error}"))?;
        Ok(Self { mounted, _folder: folder })
    }

    fn store(&self) -> PathBuf {
        self.mounted.path().join("store")
    }

    fn orders(&self, seed: u64, mix: Mix) -> Orders {
        Orders { folder: self.store(), seed, writers: WRITERS, lives: 0, sync_flag: true, mix }
    }

    /// A child that opens the store, and the cut in its nth call that mutates; how many it made, where it made less.
    fn open_and_cut(&self, seed: u64) -> Outcome<Option<u64>> {
        let child = Writing::begin(&self.orders(seed, Mix::All).only_opens())?;
        drop(child.wait(PATIENCE)?);
        Ok((!self.mounted.is_frozen()).then(|| self.mounted.calls().mutating()))
    }
}

/// What stays from round to round: which call is cut next, so that a long run cuts in each.
#[derive(Debug)]
struct Next {
    nth: u64,
    step: u64,
    calls: u64,
}

impl Next {
    /// Steps through all calls, in an order that spreads.
    fn take(&mut self) -> u64 {
        self.nth = (self.nth + self.step) % self.calls.max(1);
        self.nth + 1
    }
}

/// About `count` cuts, and the teeth.
pub(crate) fn run(count: u64, seed: u64) -> Outcome<()> {
    let begun = Instant::now();
    let mut rng = Rng::with_seed(seed);
    let mut tally = Tally::of(count);
    // Primes, so that every call gets its turn.
    let mut creations = Next { nth: 0, step: 37, calls: 100 };
    let mut recoveries = Next { nth: 0, step: 31, calls: 100 };
    let mut cures = [Cure::Flag, Cure::DataSync].into_iter().cycle();
    while !tally.is_done() {
        let cure = cures.next().unwrap_or(Cure::Flag);
        let (disk, oracle) = load(cure, &mut rng)?;
        judge_all(&disk, &oracle, &format!("{cure:?}, under load"), &mut rng, &mut tally);
        tally.load(
            oracle.acknowledged,
            u64::try_from(disk.mounted.loose().in_flight).unwrap_or(0).max(oracle.in_flight()),
        );
        if !tally.is_done() {
            recovery(cure, &disk, &oracle, &mut recoveries, &mut rng, &mut tally)?;
        }
        if !tally.is_done() {
            creation(cure, &mut creations, &mut rng, &mut tally)?;
        }
    }
    teeth(&mut rng, &mut tally)?;
    tally.finish(seed, begun.elapsed())
}

/// Writers, and the cut at a random call.
fn load(cure: Cure, rng: &mut Rng) -> Outcome<(Disk, Oracle)> {
    let mut options = Options::default().sync_flag(cure.disk()).seed(rng.u64(..));
    if rng.bool() {
        options = options.hold(Hold { width: 3, longest: Duration::from_millis(1) });
    }
    let disk = Disk::mount(Backing::Memory, &options)?;
    let oracle = write_and_cut(&disk, Mix::All, 100 + rng.u64(..150), rng, |_| ())?;
    Ok((disk, oracle))
}

fn write_and_cut(
    disk: &Disk,
    mix: Mix,
    acknowledged: u64,
    rng: &mut Rng,
    opened: impl FnOnce(&Mounted),
) -> Outcome<Oracle> {
    let mut child = Writing::begin(&disk.orders(rng.u64(..) >> 16, mix))?;
    child.until(1)?;
    opened(&disk.mounted);
    child.until(acknowledged)?;
    disk.mounted.freeze_at(rng.u64(1..20));
    if !disk.mounted.wait_frozen(Duration::from_secs(2)) {
        disk.mounted.freeze();
    }
    child.kill()
}

/// One draw of each model, each opened.
fn judge_all(disk: &Disk, oracle: &Oracle, what: &str, rng: &mut Rng, tally: &mut Tally) {
    for model in Model::ALL {
        let seed = rng.u64(..);
        if tally.is_done() {
            break;
        }
        judge(&disk.mounted.image(seed, model), oracle, &format!("{what}, {model:?}"), tally);
    }
}

fn judge(image: &Image, oracle: &Oracle, what: &str, tally: &mut Tally) {
    let opened = scratch().and_then(|folder| {
        let root = folder.path().join("image");
        image.write_to(&root)?;
        Ok(look(&root.join("store")))
    });
    match opened {
        Ok(found) => tally.judged(what, &found.map(|found| oracle.judge(&found, &mut Settled::new()))),
        Err(error) => tally.illegal(&format!("{what}: the image could not be written: {error}")),
    }
}

/// A recovery that is cut, and then judged: compound.
fn recovery(
    cure: Cure,
    disk: &Disk,
    oracle: &Oracle,
    next: &mut Next,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Outcome<()> {
    let model = rng.choice(Model::ALL).unwrap_or(Model::Torn);
    let image = disk.mounted.image(rng.u64(..), model);
    let nth = next.take();
    let options = Options::default().sync_flag(cure.disk()).freeze_at(nth);
    let again = Disk::mount(Backing::Image(image), &options)?;
    if let Some(calls) = again.open_and_cut(0)? {
        next.calls = calls;
        again.mounted.freeze();
    }
    // The child that opened may have ended orphans, and closed: what it found running is no orphan of the judge's.
    let mut oracle = oracle.clone();
    oracle.may_recover_twice = true;
    judge_all(&again, &oracle, &format!("{cure:?}, recovery after {model:?} cut at call {nth}"), rng, tally);
    Ok(())
}

/// A first creation that is cut: whatever is left opens.
fn creation(cure: Cure, next: &mut Next, rng: &mut Rng, tally: &mut Tally) -> Outcome<()> {
    let nth = next.take();
    let disk = Disk::mount(Backing::Memory, &Options::default().sync_flag(cure.disk()).freeze_at(nth))?;
    if let Some(calls) = disk.open_and_cut(0)? {
        next.calls = calls;
        disk.mounted.freeze();
    }
    judge_all(&disk, &Oracle::new(0, Mix::All), &format!("{cure:?}, creation cut at call {nth}"), rng, tally);
    Ok(())
}

/// One sync that is forgotten.
#[derive(Clone, Copy)]
struct Tooth {
    name: &'static str,
    cure: Cure,
    /// Lives until it must have shown.
    mix: Mix,
    acknowledged: u64,
    plant: fn(&Mounted),
    disk: SyncFlag,
    from_the_start: bool,
}

/// Lives in which a tooth must show.
const LIVES: u32 = 6;

/// The first cut that shows that the journal was never synced.
pub(crate) fn without_the_journals_sync(seed: u64) -> Outcome<Option<String>> {
    let tooth = Tooth {
        name: "journal",
        cure: Cure::DataSync,
        mix: Mix::All,
        acknowledged: 60,
        plant: |mounted| mounted.forget(Forgotten::File("journal".into())),
        disk: SyncFlag::Refused,
        from_the_start: false,
    };
    tooth.bite(&mut Rng::with_seed(seed))
}

fn teeth(rng: &mut Rng, tally: &mut Tally) -> Outcome<()> {
    fn conf(mounted: &Mounted) {
        mounted.forget(Forgotten::File("conf".into()));
    }
    fn folder(mounted: &Mounted) {
        mounted.forget(Forgotten::Folders);
    }
    fn journal(mounted: &Mounted) {
        mounted.forget(Forgotten::File("journal".into()));
    }
    fn data(mounted: &Mounted) {
        mounted.forget(Forgotten::File("db".into()));
    }
    fn nothing(_: &Mounted) {}
    let by_data_sync = Tooth {
        name: "conf",
        cure: Cure::DataSync,
        mix: Mix::All,
        acknowledged: 60,
        plant: conf,
        disk: SyncFlag::Refused,
        from_the_start: true,
    };
    // What sled holds matters when the journal's halves were used again: after 4 MiB.
    let long = Tooth { mix: Mix::Long, acknowledged: 1_500, from_the_start: false, ..by_data_sync };
    let all = [
        Tooth { name: "folder", plant: folder, ..by_data_sync },
        Tooth { name: "journal", plant: journal, from_the_start: false, ..by_data_sync },
        Tooth { name: "data", plant: data, ..long },
        Tooth { name: "flag", plant: nothing, cure: Cure::Flag, disk: SyncFlag::Ignored, ..long },
        by_data_sync,
    ];
    for tooth in &all {
        match tooth.bite(rng)? {
            Some(red) => print(&format!("tooth {}: red: {red}", tooth.name)),
            None => tally.illegal(&format!("the tooth {} stayed green: nothing here needs that sync", tooth.name)),
        }
    }
    Ok(())
}

impl Tooth {
    /// The first cut that it turns red.
    fn bite(&self, rng: &mut Rng) -> Outcome<Option<String>> {
        for life in 1..=LIVES {
            let disk = Disk::mount(Backing::Memory, &Options::default().sync_flag(self.disk))?;
            if self.from_the_start {
                (self.plant)(&disk.mounted);
            }
            let planted = |mounted: &Mounted| {
                if !self.from_the_start {
                    (self.plant)(mounted);
                }
            };
            let oracle = write_and_cut(&disk, self.mix, self.acknowledged, rng, planted)?;
            for model in Model::ALL {
                let mut tally = Tally::quiet();
                judge(&disk.mounted.image(rng.u64(..), model), &oracle, "", &mut tally);
                if !tally.is_clean() {
                    return Ok(Some(format!("{model:?} of life {life}, {:?}: {}", self.cure, tally.summary())));
                }
            }
        }
        Ok(None)
    }
}
