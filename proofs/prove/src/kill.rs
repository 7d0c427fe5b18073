//! FAULTS 39: kill -9 under load, and orphans: the same cycle with another mix.

use std::path::Path;
use std::thread;
use std::time::Instant;

use fastrand::Rng;

use crate::child::Orders;
use crate::oracle::Settled;
use crate::plan::Mix;
use crate::process::Writing;
use crate::reopen::look;
use crate::tally::Tally;
use crate::{Outcome, scratch};

/// Writers of a child.
const WRITERS: u32 = 10;
/// Cycles on one folder: what a cycle settled must stay through the later ones.
const ON_ONE_FOLDER: u64 = 8;
/// Acknowledged writes that make a cycle count.
const ENOUGH: u64 = 100;
/// Folders that are written side by side.
const LANES: u64 = 2;

/// `count` cycles that count.
pub(crate) fn run(count: u64, seed: u64, mix: Mix) -> Outcome<()> {
    let begun = Instant::now();
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let share = count / LANES + u64::from(lane < count % LANES);
            thread::spawn(move || {
                cycles(share, seed.wrapping_mul(LANES).wrapping_add(lane), mix).map_err(|e| e.to_string())
            })
        })
        .collect();
    let mut tally = Tally::default();
    for lane in lanes {
        tally.join(lane.join().map_err(|_| "a lane panicked")??);
    }
    tally.finish(seed, begun.elapsed())
}

fn cycles(count: u64, seed: u64, mix: Mix) -> Outcome<Tally> {
    let mut tally = Tally::default();
    let mut rng = Rng::with_seed(seed);
    while tally.cycles < count {
        let folder = scratch()?;
        let mut settled = Settled::new();
        for _ in 0..ON_ONE_FOLDER.min(count - tally.cycles) {
            if !cycle(&folder.path().join("store"), &mut rng, mix, &mut settled, &mut tally)? {
                break;
            }
        }
    }
    Ok(tally)
}

/// One cycle; `false` if it did not count.
fn cycle(folder: &Path, rng: &mut Rng, mix: Mix, settled: &mut Settled, tally: &mut Tally) -> Outcome<bool> {
    let seed = rng.u64(..) >> 16;
    let orders = Orders { folder: folder.into(), seed, writers: WRITERS, lives: 0, sync_flag: true, mix };
    let mut child = Writing::begin(&orders)?;
    if let Err(error) = child.until(ENOUGH + rng.u64(..200)) {
        tally.illegal(&format!("{seed:x}: before it was killed {error}"));
        return Ok(false);
    }
    let oracle = child.kill()?;
    if oracle.in_flight() == 0 {
        return Ok(false);
    }
    tally.load(oracle.acknowledged, oracle.in_flight());
    let verdict = look(folder).map(|found| oracle.judge(&found, settled));
    tally.judged(&format!("kill {seed:x}"), &verdict);
    Ok(verdict.is_ok())
}
