//! Bugs planted on purpose: each must be caught by the check that is named for it, and the same check must find
//! nothing where nothing is planted.

use std::time::Duration;

use longrun::Status;
use longrun::conformance::{Opener, Verdict, promises};
use longrun::store::Swap;
use longrun_checks_conformance::broken::flaw::{Flaw, FlawedOpener, WHOLE};
use longrun_checks_conformance::broken::flaws;

use crate::{Outcome, histories, power, print};

/// What must catch a bug.
#[derive(Clone, Copy, Debug)]
enum Check {
    /// A promise of the conformance suite, on the broken store that is kept for it.
    Promise(&'static str),
    /// Histories of clients that race over this store.
    Histories(&'static Flaw),
    /// Power cuts while one sync is forgotten.
    Cuts,
}

/// As many as the field is known for.
const PLANTED: [(&str, Check); 12] = [
    ("lost update", Check::Histories(&LOST_UPDATE)),
    ("missing sync", Check::Cuts),
    ("stale rescuer", Check::Histories(&STALE_RESCUER)),
    ("ABA after delete and re-create", Check::Promise("swap::created_again_is_another")),
    ("watch gap", Check::Promise("feed::reader_beside_writers_misses_nothing")),
    ("counter drift", Check::Promise("counts::exact_after_a_crash")),
    ("torn pair", Check::Promise("swap::dropped_is_all_or_nothing")),
    ("publishing before sync", Check::Promise("visibility::load_waits_for_durability")),
    ("swap that answers an old record", Check::Histories(&OLD_RECORD)),
    ("token that skips", Check::Promise("page::nothing_is_skipped_or_doubled_beside_writers")),
    ("lease by the client's clock", Check::Promise("idle::times_of_clients_do_not_count")),
    ("double run after a lost answer", Check::Histories(&DOUBLE_RUN)),
];

/// Histories in which a bug must show, and in which nothing may without one.
const HISTORIES: u64 = 400;
/// Characters of a finding that are printed.
const SHOWN: usize = 160;
const WATCHDOG: Duration = Duration::from_mins(1);

const LOST_UPDATE: Flaw = Flaw {
    says: "progress is written over whatever is there",
    swap: |cx, expected, next, durability| {
        Box::pin(async move {
            let mut swap = cx.inner.swap(expected, next, durability).await?;
            while let Swap::Lost(Some(winner)) = &swap
                && winner.status() == next.status()
                && !next.is_terminal()
            {
                swap = cx.inner.swap(Some(winner.version()), next, durability).await?;
            }
            Ok(swap)
        })
    },
    ..WHOLE
};

const STALE_RESCUER: Flaw = Flaw {
    says: "Failed is written over what has Completed meanwhile",
    swap: |cx, expected, next, durability| {
        Box::pin(async move {
            let mut swap = cx.inner.swap(expected, next, durability).await?;
            while let Swap::Lost(Some(winner)) = &swap
                && winner.status() == Status::Completed
                && next.status() == Status::Failed
            {
                swap = cx.inner.swap(Some(winner.version()), next, durability).await?;
            }
            Ok(swap)
        })
    },
    ..WHOLE
};

const OLD_RECORD: Flaw = Flaw {
    says: "who loses is shown the record before the winner's",
    swap: |cx, expected, next, durability| {
        Box::pin(async move {
            match cx.inner.swap(expected, next, durability).await? {
                Swap::Lost(Some(winner)) => {
                    let old = cx.noted().before_last(next.id());
                    Ok(Swap::Lost(Some(old.unwrap_or(winner))))
                }
                other => Ok(other),
            }
        })
    },
    ..WHOLE
};

const DOUBLE_RUN: Flaw = Flaw {
    says: "a start that lost to a start is taken for its own first try",
    swap: |cx, expected, next, durability| {
        Box::pin(async move {
            match cx.inner.swap(expected, next, durability).await? {
                Swap::Lost(Some(winner))
                    if winner.status() == Status::Running
                        && next.status() == Status::Running
                        && winner.version().n() == next.version().n() =>
                {
                    Ok(Swap::Stored)
                }
                other => Ok(other),
            }
        })
    },
    ..WHOLE
};

/// Plants all, one by one.
pub(crate) fn run(seed: u64) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build()?;
    print("| bug | caught by | how |\n|---|---|---|");
    let mut caught = 0;
    for (bug, check) in PLANTED {
        let found = match check {
            Check::Promise(name) => runtime.block_on(promise(name, flaw(name)?))?,
            Check::Histories(flaw) => runtime.block_on(raced(flaw, seed))?,
            Check::Cuts => power::without_the_journals_sync(seed)?,
        };
        caught += usize::from(found.is_some());
        let (name, how) = (check.name(), found.unwrap_or_else(|| "NOT CAUGHT".into()));
        let how: String = how.replace(['\n', '|'], " ").chars().take(SHOWN).collect();
        print(&format!("| {bug} | {name} | {how} |"));
        let sound = match check {
            Check::Promise(name) => runtime.block_on(promise(name, &SOUND))?,
            // Histories are judged once for all, below; cuts without a bug are what `prove power` is.
            Check::Histories(_) | Check::Cuts => None,
        };
        if let Some(how) = sound {
            return Err(format!("{name} finds something where nothing is planted: {how}").into());
        }
    }
    if let Some(how) = runtime.block_on(raced(&SOUND, seed))? {
        return Err(format!("histories find something where nothing is planted: {how}").into());
    }
    print(&format!("seed {seed}\n{} planted, {caught} caught", PLANTED.len()));
    if caught == PLANTED.len() { Ok(()) } else { Err("a bug was not caught".into()) }
}

static SOUND: Flaw = WHOLE;

impl Check {
    fn name(self) -> String {
        match self {
            Self::Promise(name) => format!("conformance {name}"),
            Self::Histories(flaw) => format!("prove linear, on a store where {}", flaw.says),
            Self::Cuts => "prove power, with the journal's sync forgotten".into(),
        }
    }
}

fn flaw(breaks: &str) -> Outcome<&'static Flaw> {
    Ok(flaws().into_iter().find(|flaw| flaw.breaks == breaks).ok_or("no broken store is kept for it")?)
}

/// How a store breaks a promise.
async fn promise(name: &str, flaw: &'static Flaw) -> Outcome<Option<String>> {
    let promise = promises().iter().find(|promise| format!("{promise:?}") == name).ok_or("no such promise")?;
    match promise.check_within(&FlawedOpener(flaw), WATCHDOG).await {
        Verdict::Kept => Ok(None),
        Verdict::Broken(how) => Ok(Some(format!("{}: {how}", flaw.says))),
        other => Err(format!("{name}: {other:?}").into()),
    }
}

async fn raced(flaw: &'static Flaw, seed: u64) -> Outcome<Option<String>> {
    let place = FlawedOpener(flaw).place().await?;
    let store = place.open().await?;
    histories::first_illegal(store, seed, HISTORIES).await
}
