//! FAULTS 39, 45: a disk whose nth call fails, for every n, once and for good: the child ends with an error or without, it never
//! panics or hangs, and nothing that it was told is lost.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use powerfs::{Backing, Failure, Fault, Model, Options, PowerFs, SyncFlag};

use crate::child::Orders;
use crate::oracle::Settled;
use crate::plan::Mix;
use crate::process::Writing;
use crate::reopen::look;
use crate::tally::Tally;
use crate::{Outcome, print, scratch};

/// A child that takes longer hangs.
const HANGS: Duration = Duration::from_secs(30);

/// Up to `count` calls, spread over all that a script makes, each failing in every way.
pub(crate) fn run(count: u64, seed: u64) -> Outcome<()> {
    let begun = Instant::now();
    let mut tally = Tally::default();
    let ways: Vec<(Failure, bool, SyncFlag)> = [Failure::Io, Failure::NoSpace]
        .into_iter()
        .flat_map(|failure| [(failure, false), (failure, true)])
        .zip([SyncFlag::Honoured, SyncFlag::Refused].into_iter().cycle())
        .map(|((failure, for_good), disk)| (failure, for_good, disk))
        .collect();
    let total = script(seed, None, SyncFlag::Refused, &mut tally)?;
    let step = (total * 4 / count.max(1)).max(1);
    for (way, (failure, for_good, disk)) in (0..).zip(ways) {
        // Each way begins elsewhere, so that a spread run meets different calls.
        for nth in (1 + way * step / 4..=total).step_by(usize::try_from(step)?) {
            let fault = Fault::any(nth, failure);
            let fault = if for_good { fault.for_good() } else { fault };
            script(
                seed,
                Some(&(fault, format!("call {nth} {failure:?}, for good: {for_good}, {disk:?}"))),
                disk,
                &mut tally,
            )?;
        }
    }
    print(&format!("a script makes {total} calls that mutate; every {step}th failed in 4 ways"));
    tally.finish(seed, begun.elapsed())
}

/// One script, and what is there after; how many calls it made.
fn script(seed: u64, fault: Option<&(Fault, String)>, disk: SyncFlag, tally: &mut Tally) -> Outcome<u64> {
    let folder = scratch()?;
    let mounted = PowerFs::mount(folder.path(), Backing::Memory, &Options::default().sync_flag(disk))
        .map_err(|error| format!("FUSE and root are needed: {error}"))?;
    let store: PathBuf = mounted.path().join("store");
    let what = fault.map_or_else(|| "no fault".to_owned(), |(_, what)| what.clone());
    if let Some((fault, _)) = fault {
        mounted.inject(*fault);
    }
    let orders = Orders { folder: store, seed, writers: 3, lives: 6, sync_flag: true, mix: Mix::All };
    let (status, mut oracle) = Writing::begin(&orders)?.wait(HANGS)?;
    match status.map(|status| status.code()) {
        None => tally.illegal(&format!("{what}: the child hung")),
        Some(Some(0 | 1)) => {}
        Some(code) => tally.illegal(&format!("{what}: the child ended with {code:?}: a panic is 101")),
    }
    mounted.heal();
    oracle.may_close = true;
    oracle.may_recover_twice = true;
    tally.load(oracle.acknowledged, oracle.in_flight());
    let calls = mounted.calls().mutating();
    for (image, how) in [(mounted.live(), "reopened"), (mounted.image(seed, Model::Drop), "cut afterwards")] {
        let root = scratch()?;
        image.write_to(&root.path().join("image"))?;
        let found = look(&root.path().join("image/store"));
        let verdict = found.map(|found| oracle.judge(&found, &mut Settled::new()));
        tally.judged(&format!("{what}, {how}"), &verdict);
    }
    Ok(calls)
}
