//! sled 0.34.7 under power cuts: kept by the rules that make it durable, and lost as soon as one of them is broken.
//!
//! Its `flush` writes without `fsync`, and its `conf` file is never synced at all.

mod store;

use crate::Rig;
use fastrand::Rng;
use powerfs::{Backing, Hold, Model, Mounted, Options, SyncFlag};
use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
    time::Duration,
};
use store::{BY_FDATASYNC, BY_FLAG, Oracle, Rules, Store, Verdict, caught, judge, shut, write_until_cut};

/// Small segments, so that they are written again soon. Values are short enough that no page becomes a file.
const SMALL: Rules = Rules { segment: 1 << 15, value: 200, ..BY_FLAG };

/// One life of a store, cut while eight writers write.
fn live(rules: Rules, seed: u64) -> (Rig, Arc<Oracle>) {
    let mut rng = Rng::with_seed(seed);
    let hold = Hold { width: 6, longest: Duration::from_micros(300) };
    let options = Options::default().sync_flag(rules.disk).hold(hold).seed(seed);
    let rig = Rig::with(Backing::Memory, &options);
    let store = Store::open(&rig.path("db"), rules).unwrap();
    if rules.segment == SMALL.segment {
        store.churn(&mut rng);
    }
    rig.mounted.freeze_at(rng.u64(1..150));
    let oracle = write_until_cut(store, &rig, seed);
    (rig, oracle)
}

#[derive(Debug, Default)]
struct Tally {
    cuts: usize,
    unopened: usize,
    lossy: usize,
    acknowledged: usize,
    most_in_flight: usize,
}

impl Tally {
    fn red(&self) -> usize {
        self.unopened + self.lossy
    }

    fn judge(&mut self, mounted: &Mounted, models: &[Model], draws: u64, oracle: &Oracle, rules: Rules) {
        for &model in models {
            for seed in 0..draws {
                let verdict = judge(&mounted.image(seed, model), oracle, rules);
                self.cuts += 1;
                self.unopened += usize::from(verdict == Verdict::NotOpened);
                self.lossy += usize::from(verdict == Verdict::Lost);
            }
        }
    }
}

fn tally(rules: Rules, models: &[Model], lives: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..lives {
        let (rig, oracle) = live(rules, seed);
        tally.acknowledged += oracle.acknowledged();
        tally.most_in_flight = tally.most_in_flight.max(rig.mounted.loose().in_flight);
        tally.judge(&rig.mounted, models, 4, &oracle, rules);
    }
    tally
}

fn expect_clean(rules: Rules) -> Tally {
    let tally = tally(rules, &Model::ALL, 12);
    assert_eq!(tally.red(), 0, "{tally:?}");
    assert!(tally.acknowledged > 100, "{tally:?}");
    tally
}

#[track_caller]
fn expect_red(rules: Rules, models: &[Model]) {
    let tally = tally(rules, models, 6);
    assert!(tally.red() > 0, "{tally:?} of {rules:?}");
}

#[test]
fn flush_and_fdatasync_lose_nothing() {
    expect_clean(BY_FDATASYNC);
    expect_clean(Rules { segment: SMALL.segment, value: SMALL.value, ..BY_FDATASYNC });
}

#[test]
fn flush_with_the_flag_loses_nothing() {
    expect_clean(BY_FLAG);
    expect_clean(SMALL);
}

#[test]
fn several_flagged_writes_in_flight_lose_nothing() {
    let tally = expect_clean(Rules { grouped: false, ..SMALL });
    assert!(tally.most_in_flight >= 3, "{tally:?}");
}

#[test]
fn teeth_conf() {
    expect_red(Rules { conf: false, ..BY_FDATASYNC }, &[Model::Keep, Model::Torn]);
}

#[test]
fn teeth_folder() {
    for rules in [BY_FDATASYNC, BY_FLAG] {
        expect_red(Rules { folder: false, ..rules }, &[Model::StrictFolder]);
    }
}

#[test]
fn teeth_data() {
    for model in Model::ALL {
        expect_red(Rules { data: false, ..BY_FDATASYNC }, &[model]);
    }
}

#[test]
fn teeth_flag() {
    for model in Model::ALL {
        expect_red(Rules { flag: false, ..BY_FLAG }, &[model]);
        expect_red(Rules { disk: SyncFlag::Ignored, ..BY_FLAG }, &[model]);
    }
}

/// A page above a quarter of a segment becomes a file of its own in `blobs`, which nobody syncs: neither rule covers
/// it, and sled panics when it is gone. A store must choose its segment by its longest record, sixteen of which make
/// a page.
#[test]
fn pages_above_a_quarter_of_a_segment_are_files_that_a_cut_takes() {
    let long = Rules { value: 2000, segment: 1 << 14, grouped: false, ..BY_FDATASYNC };
    let flagged = Rules { data: false, flag: true, disk: SyncFlag::Honoured, ..long };
    for (rules, model) in [(long, Model::Drop), (flagged, Model::StrictFolder)] {
        let (rig, _) = live(rules, 1);
        let (before, after) = (rig.mounted.live(), rig.mounted.image(1, model));
        let blobs: Vec<_> = before.files().into_iter().filter(|path| path.starts_with("db/blobs")).collect();
        assert!(!blobs.is_empty(), "{model:?}");
        assert!(blobs.iter().any(|path| after.file(path) != before.file(path)), "{model:?}");
    }
    let (rig, _) = live(Rules { segment: 1 << 18, ..long }, 1);
    assert!(rig.mounted.live().files().iter().all(|path| !path.starts_with("db/blobs")));
}

#[test]
fn a_recovery_cut_at_any_call_loses_nothing() {
    for rules in [BY_FDATASYNC, BY_FLAG] {
        let (rig, oracle) = live(rules, 1);
        let image = rig.mounted.image(1, Model::Torn);
        let mut tally = Tally::default();
        for nth in 1.. {
            let options = Options::default().sync_flag(rules.disk).freeze_at(nth);
            let again = Rig::with(Backing::Image(image.clone()), &options);
            let opened = caught(|| Store::open(&again.path("db"), rules));
            tally.judge(&again.mounted, &Model::ALL, 2, &oracle, rules);
            shut(opened);
            if !again.mounted.is_frozen() {
                break;
            }
        }
        assert_eq!(tally.red(), 0, "{tally:?}");
        assert!(tally.cuts > 40, "{tally:?}");
    }
}

/// Makes a store aside, and gives it its name when it is durable.
fn create(folder: &Path, rules: Rules) -> io::Result<()> {
    let aside = folder.join("db.tmp");
    drop(Store::open(&aside, rules)?);
    fs::rename(aside, folder.join("db"))?;
    File::open(folder)?.sync_all()
}

#[test]
fn a_creation_cut_at_any_call_opens() {
    for rules in [BY_FDATASYNC, BY_FLAG] {
        let mut tally = Tally::default();
        for nth in 1.. {
            let options = Options::default().sync_flag(rules.disk).freeze_at(nth);
            let rig = Rig::with(Backing::Memory, &options);
            let created = caught(|| create(rig.mounted.path(), rules));
            tally.judge(&rig.mounted, &Model::ALL, 2, &Oracle::new(0), rules);
            if !rig.mounted.is_frozen() {
                created.unwrap();
                assert!(rig.draws_of_all().all(|image| image.has("db/db")));
                break;
            }
        }
        assert_eq!(tally.red(), 0, "{tally:?}");
        assert!(tally.cuts > 40, "{tally:?}");
    }
}
