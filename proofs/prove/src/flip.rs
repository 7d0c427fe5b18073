//! Single bits flipped in a closed store: it opens with what was written, or refuses; it never shows anything else.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::child::Orders;
use crate::oracle::Settled;
use crate::plan::Mix;
use crate::process::Writing;
use crate::reopen::{Found, Refusal, look};
use crate::tally::Tally;
use crate::{Outcome, print, scratch};

/// What became of a flip.
#[derive(Debug, Default)]
struct Came {
    intact: u64,
    refused: u64,
    older: u64,
    salvaged_whole: u64,
    salvaged_in_part: u64,
    missing: u64,
}

impl Came {
    fn join(&mut self, other: &Self) {
        self.intact += other.intact;
        self.refused += other.refused;
        self.older += other.older;
        self.salvaged_whole += other.salvaged_whole;
        self.salvaged_in_part += other.salvaged_in_part;
        self.missing += other.missing;
    }
}

const SECTOR: usize = 512;
/// Stores that are flipped side by side.
const LANES: u64 = 3;

/// `count` flips.
pub(crate) fn run(count: u64, seed: u64) -> Outcome<()> {
    let begun = Instant::now();
    let mut rng = Rng::with_seed(seed);
    let folder = scratch()?;
    let store = folder.path().join("store");
    let orders =
        Orders { folder: store.clone(), seed: seed >> 16, writers: 4, lives: 40, sync_flag: true, mix: Mix::All };
    let (status, mut oracle) = Writing::begin(&orders)?.wait(Duration::from_mins(2))?;
    if !status.is_some_and(|status| status.success()) {
        return Err("the store to flip could not be made".into());
    }
    oracle.may_close = true;
    let whole = look(&store).map_err(|refusal| format!("the store does not open: {refusal:?}"))?;
    let wrong = oracle.judge(&whole, &mut Settled::new());
    let mut tally = Tally::default();
    tally.judged("before any flip", &Ok(wrong));
    tally.cycles = 0;
    let files = files(&store)?;
    let places = places(&files)?;
    let mut came = Came::default();
    let (store, whole, files, places) = (&store, &whole, &files, &places);
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                let share = count / LANES + u64::from(lane < count % LANES);
                let rng = Rng::with_seed(rng.u64(..));
                scope.spawn(move || {
                    flips(share, rng, store, whole, files, places).map_err(|error| error.to_string())
                })
            })
            .collect();
        for lane in lanes {
            let (some, theirs) = lane.join().map_err(|_| "a lane panicked")??;
            came.join(&some);
            tally.join(theirs);
        }
        Outcome::Ok(())
    })?;
    print(&format!(
        "{} opened intact, {} refused, {} opened with something older or missing",
        came.intact, came.refused, came.older
    ));
    print(&format!(
        "of the refused, salvage kept everything of {}, all but {} records of {}",
        came.salvaged_whole, came.missing, came.salvaged_in_part
    ));
    tally.finish(seed, begun.elapsed())
}

fn flips(
    count: u64,
    mut rng: Rng,
    store: &Path,
    whole: &Found,
    files: &[PathBuf],
    places: &[(PathBuf, usize)],
) -> Outcome<(Came, Tally)> {
    let (mut came, mut tally) = (Came::default(), Tally::default());
    for _ in 0..count {
        let Some((file, sector)) = rng.choice(places) else { return Err("an empty store".into()) };
        let (byte, bit) = (sector + rng.usize(..SECTOR), rng.u8(..8));
        let copy = scratch()?;
        let target = copy.path().join("store");
        copy_flipped(store, &target, files, file, byte, bit)?;
        let what = format!("bit {bit} of byte {byte} of {}", file.strip_prefix(store)?.display());
        let found = look(&target);
        let refused = found.is_err();
        judge(&what, found, whole, &mut came, &mut tally);
        if refused {
            // Opening may have repaired something: salvage gets what the flip left.
            fs::remove_dir_all(&target)?;
            copy_flipped(store, &target, files, file, byte, bit)?;
            save(&what, &target, &copy.path().join("saved"), whole, &mut came, &mut tally);
        }
    }
    Ok((came, tally))
}

/// Salvage keeps what is intact, shows nothing else, and does not keep silent about the rest.
fn save(what: &str, damaged: &Path, into: &Path, whole: &Found, came: &mut Came, tally: &mut Tally) {
    let salvaged = match longrun::store::salvage(damaged, into) {
        Ok(salvaged) => salvaged,
        Err(error) => return tally.illegal(&format!("{what}: salvage: {error}")),
    };
    let found = match look(into) {
        Ok(found) => found,
        Err(refusal) => return tally.illegal(&format!("{what}: what was salvaged does not open: {refusal:?}")),
    };
    if found.operations.iter().any(|(id, seen)| whole.operations.get(id) != Some(seen)) {
        tally.illegal(&format!("{what}: salvage shows what was never written"));
    }
    let missing = whole.operations.len().saturating_sub(found.operations.len());
    if missing == 0 {
        came.salvaged_whole += 1;
    } else if salvaged.lost.is_empty() {
        tally.illegal(&format!("{what}: salvage says nothing of {missing} records that it did not keep"));
    } else {
        came.salvaged_in_part += 1;
        came.missing += u64::try_from(missing).unwrap_or(u64::MAX);
    }
}

fn judge(what: &str, found: Result<Found, Refusal>, whole: &Found, came: &mut Came, tally: &mut Tally) {
    tally.cycles += 1;
    match found {
        Err(Refusal::Error(_)) => came.refused += 1,
        Err(refusal) => tally.illegal(&format!("{what}: {refusal:?}")),
        Ok(found) if found.operations == whole.operations && found.problems.is_empty() => came.intact += 1,
        Ok(found) => {
            for problem in &found.problems {
                tally.illegal(&format!("{what}: {problem}"));
            }
            came.older += 1;
            let foreign = found.operations.iter().filter(|(id, seen)| {
                whole.operations.get(*id).is_none_or(|there| there != *seen && seen.status.is_terminal())
            });
            for (id, seen) in foreign {
                tally.illegal(&format!("{what}: {id} shows {seen:?}"));
            }
        }
    }
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { all.extend(files(&path)?) } else { all.push(path) }
    }
    Ok(all)
}

/// The sectors that hold something: most of a store's files is written beforehand.
fn places(files: &[PathBuf]) -> Outcome<Vec<(PathBuf, usize)>> {
    let mut places = Vec::new();
    for file in files {
        let bytes = fs::read(file)?;
        for (at, sector) in bytes.chunks(SECTOR).enumerate() {
            if sector.iter().any(|byte| Some(byte) != sector.first()) || bytes.len() < SECTOR {
                places.push((file.clone(), at * SECTOR));
            }
        }
    }
    Ok(places)
}

fn copy_flipped(
    store: &Path,
    target: &Path,
    files: &[PathBuf],
    flipped: &Path,
    byte: usize,
    bit: u8,
) -> Outcome<()> {
    for file in files {
        let to = target.join(file.strip_prefix(store)?);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut bytes = fs::read(file)?;
        if file == flipped {
            let last = bytes.len().saturating_sub(1);
            if let Some(place) = bytes.get_mut(byte.min(last)) {
                *place ^= 1 << bit;
            }
        }
        fs::write(to, bytes)?;
    }
    fs::create_dir_all(target.join("store/blobs"))?;
    Ok(())
}
