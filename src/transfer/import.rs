//! A file into a store.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;

use super::line::{Line, Lines, decode};
use super::{corrupt, unavailable};
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Applied, Failure, Operation, OperationId, Patch, Rules, Status, Timestamp, holder};
use crate::store::{Durability, Store, Swap};
use crate::tracker::future::{Boxed, all};

/// Operations written side by side: they share a sync.
const TOGETHER: usize = 256;

/// What an import made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Lines of operations in the file.
    pub operations: u64,
    /// Records that this call wrote.
    pub written: u64,
    /// Lines whose record was there, from an earlier call.
    pub there: u64,
    /// Lines whose operation has moved on: a later line tells it, or this store has changed it since.
    pub newer: u64,
    /// Operations deleted because the file says so.
    pub deleted: u64,
    /// Running operations whose process was left behind: ended as Failed/`orphaned`.
    pub orphaned: u64,
    /// Operations that were read again at the end and are what the file says.
    pub verified: u64,
}

/// Writes every operation of a file into a store, with version and times, and reads all of them again.
///
/// A call that was broken off is made again: what is there already is left alone. What was Running in a
/// process of the old store has no process here: once it is there it is ended as Failed/`orphaned`, like
/// after a crash. What a remote worker holds runs on. The positions of the old store's feed mean nothing here.
///
/// It remembers each id of the file while it works.
///
/// `Corrupt` before anything is written if the file is not whole, and at the end if the store is not what
/// the file says; `AlreadyExists` if another operation of the same id is there.
pub async fn import(store: &dyn Store, path: &Path) -> Result<Imported> {
    let file = File::open(path).map_err(|error| unavailable(path, &error))?;
    let told = whole(path, &file)?;
    let mut imported = Imported::default();
    for_each_step(path, &file, async |step| {
        match step {
            Step::Operations(operations) => {
                let brought =
                    operations.iter().map(|operation| -> Boxed<'_, _> { Box::pin(bring(store, operation, &told)) });
                for outcome in all(brought.collect()).await {
                    let (brought, orphaned) = outcome?;
                    let count = match brought {
                        Brought::Written => &mut imported.written,
                        Brought::There => &mut imported.there,
                        Brought::Newer => &mut imported.newer,
                    };
                    *count = count.saturating_add(1);
                    imported.orphaned = imported.orphaned.saturating_add(orphaned.into());
                }
                imported.operations = imported.operations.saturating_add(operations.len() as u64);
            }
            Step::Deleted(id, birth) => {
                imported.deleted = imported.deleted.saturating_add(remove(store, &id, birth).await?.into());
            }
        }
        Ok(())
    })
    .await?;
    imported.verified = verify(store, path, &file, &told).await?;
    Ok(imported)
}

/// What a file says of ids that have had several lives.
#[derive(Default)]
struct Told {
    /// The last life of each id that lives.
    living: HashMap<OperationId, u64>,
    /// Lives that are over.
    gone: HashSet<(OperationId, u64)>,
}

impl Told {
    fn is_gone(&self, id: &OperationId, birth: u64) -> bool {
        !self.gone.is_empty() && self.gone.contains(&(id.clone(), birth))
    }

    fn end(&mut self, id: OperationId, birth: u64) {
        if self.living.get(&id) == Some(&birth) {
            self.living.remove(&id);
        }
        self.gone.insert((id, birth));
    }

    fn live(&mut self, id: OperationId, birth: u64) {
        if let Some(before) = self.living.insert(id.clone(), birth).filter(|before| *before != birth) {
            // It was deleted and made again between two looks at the feed.
            self.gone.insert((id, before));
        }
    }
}

/// Reads the file once: it must end with a mark at the feed's end.
fn whole(path: &Path, file: &File) -> Result<Told> {
    let mut lines = Lines::of(path, file.try_clone().map_err(|error| unavailable(path, &error))?)?;
    let (mut told, mut ends) = (Told::default(), false);
    while let Some(line) = lines.next()? {
        ends = false;
        match line {
            Line::Mark(mark) => ends = mark.end,
            Line::Deleted { id, birth } => {
                told.end(id, parse_birth(&birth).ok_or_else(|| lines.wrong("no birth"))?);
            }
            Line::Operation { id, record, .. } => {
                let operation = decode(&id, &record).map_err(|what| lines.wrong(what))?;
                told.live(id, operation.version().birth());
            }
            Line::Store { .. } => {}
        }
    }
    let length = file.metadata().map_err(|error| unavailable(path, &error))?.len();
    if !ends || length != lines.read {
        return Err(corrupt(path, "the export was not finished: make it again, it goes on where it ended"));
    }
    Ok(told)
}

fn parse_birth(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

enum Step {
    /// Different ones, so that they may be written side by side.
    Operations(Vec<Operation>),
    Deleted(OperationId, u64),
}

async fn for_each_step(path: &Path, file: &File, mut each: impl AsyncFnMut(Step) -> Result<()>) -> Result<()> {
    let mut lines = Lines::of(path, file.try_clone().map_err(|error| unavailable(path, &error))?)?;
    let mut together: Vec<Operation> = Vec::with_capacity(TOGETHER);
    let mut ids: HashSet<OperationId> = HashSet::with_capacity(TOGETHER);
    while let Some(line) = lines.next()? {
        let (operation, deleted) = match line {
            Line::Operation { id, record, .. } => {
                (Some(decode(&id, &record).map_err(|what| lines.wrong(what))?), None)
            }
            Line::Deleted { id, birth } => {
                let birth = parse_birth(&birth).ok_or_else(|| lines.wrong("no birth"))?;
                (None, Some(Step::Deleted(id, birth)))
            }
            Line::Store { .. } | Line::Mark(_) => continue,
        };
        let full = together.len() >= TOGETHER || deleted.is_some();
        if full || operation.as_ref().is_some_and(|operation| ids.contains(operation.id())) {
            ids.clear();
            each(Step::Operations(std::mem::take(&mut together))).await?;
        }
        if let Some(operation) = operation {
            ids.insert(operation.id().clone());
            together.push(operation);
        }
        if let Some(deleted) = deleted {
            each(deleted).await?;
        }
    }
    each(Step::Operations(together)).await
}

enum Brought {
    Written,
    There,
    Newer,
}

/// Writes one record as it is; whether it was ended because its process was left behind.
async fn bring(store: &dyn Store, operation: &Operation, told: &Told) -> Result<(Brought, bool)> {
    let (id, version) = (operation.id(), operation.version());
    if told.is_gone(id, version.birth()) {
        return Ok((Brought::Newer, false));
    }
    let mut expected = None;
    let brought = loop {
        match store.swap(expected, operation, Durability::Immediate).await? {
            Swap::Stored => break Brought::Written,
            Swap::Lost(None) => expected = None,
            Swap::Taken(holder) => {
                let message = format!("operation {} holds the unique key of operation {id}", holder.id());
                let error = Error::new(ErrorKind::AlreadyExists, "operationAlreadyExists", message);
                return Err(error.about("unique").with_current(holder));
            }
            Swap::Lost(Some(there)) => {
                let found = there.version();
                if found == version {
                    break Brought::There;
                }
                if told.is_gone(id, found.birth()) {
                    remove(store, id, found.birth()).await?;
                    expected = None;
                    continue;
                }
                if found.birth() != version.birth() || found.n() == version.n() {
                    let message = format!("another operation {} exists", there.id());
                    let error = Error::new(ErrorKind::AlreadyExists, "operationAlreadyExists", message);
                    return Err(error.about("id").with_current(there));
                }
                if found.n() > version.n() {
                    return Ok((Brought::Newer, false));
                }
                expected = Some(found);
            }
        }
    };
    let of_a_process = operation.holder().is_some_and(|holder| holder::instance(holder).is_some());
    let orphaned = operation.status() == Status::Running && of_a_process && end_orphan(store, operation).await?;
    Ok((brought, orphaned))
}

/// Ends it unless somebody else has.
async fn end_orphan(store: &dyn Store, operation: &Operation) -> Result<bool> {
    let failure = Failure::new(Failure::ORPHANED, "the process that ran it was left behind when it was moved");
    let now = Timestamp::try_from(SystemClock::default().now()).map_err(|error| {
        Error::new(ErrorKind::Unavailable, "clockUnavailable", format!("the clock's date {error}"))
    })?;
    let rules = Rules::new(store.opened().instance);
    match operation.apply(&Patch::fail(failure), &rules, now) {
        Ok(Applied::Changed { next, .. }) => {
            let swap = store.swap(Some(operation.version()), &next, Durability::Immediate).await?;
            Ok(swap == Swap::Stored)
        }
        Ok(Applied::Unchanged) => Ok(false),
        Err(rejection) => Err(Error::rejected(&rejection, Some(operation.clone()))),
    }
}

async fn remove(store: &dyn Store, id: &OperationId, birth: u64) -> Result<bool> {
    loop {
        let Some(there) = store.load(id).await?.filter(|there| there.version().birth() == birth) else {
            return Ok(false);
        };
        if store.remove(id, there.version()).await? == Swap::Stored {
            return Ok(true);
        }
    }
}

/// Reads every operation of the file again, and then the whole store as it stands.
async fn verify(store: &dyn Store, path: &Path, file: &File, told: &Told) -> Result<u64> {
    let (mut verified, mut wrong) = (0_u64, Vec::new());
    for_each_step(path, file, async |step| {
        let Step::Operations(operations) = step else { return Ok(()) };
        let read = operations.iter().map(|operation| -> Boxed<'_, _> { Box::pin(store.load(operation.id())) });
        for (operation, found) in operations.iter().zip(all(read.collect()).await) {
            let (id, version) = (operation.id(), operation.version());
            match found? {
                _ if told.is_gone(id, version.birth()) => {}
                Some(found) if found == *operation => verified = verified.saturating_add(1),
                Some(found) if found.version().birth() == version.birth() && found.version().n() > version.n() => {}
                Some(_) => wrong.push(format!("operation {id} is another than in {}", path.display())),
                None => wrong.push(format!("operation {id} is missing")),
            }
        }
        Ok(())
    })
    .await?;
    wrong.extend(store.verify().await?.problems);
    match wrong.first() {
        None => Ok(verified),
        Some(first) => {
            let message = format!("the store is not what was imported: {first}, and {} more", wrong.len() - 1);
            Err(Error::new(ErrorKind::Corrupt, "storeCorrupt", message))
        }
    }
}
