//! A store into a file.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::num::NonZeroU32;
use std::path::Path;

use super::line::{FORMAT, Line, Lines, Mark};
use super::{corrupt, unavailable};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Change, Position, Store};

/// Changes between two marks.
const STEP: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// What an export wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Lines of operations in the file: as many as there are, and one more for each that changed since an
    /// earlier export into it.
    pub operations: u64,
    /// Lines that tell of a deletion since then.
    pub deletions: u64,
    /// Of those lines, the ones that this call wrote.
    pub written: u64,
    /// Transactions that the feed still waits for, as [`Changes::behind`](crate::store::Changes::behind): if
    /// it is not 0, what they made is not in the file. Export again once they have ended.
    pub behind: u64,
}

/// Writes every operation into a file, with version and times, or goes on where an earlier export into it
/// ended. On disk when this answers.
///
/// An operation that changes meanwhile may stand there twice: the later line counts. For a move, end the
/// writers first and export again: that is quick.
///
/// `Invalid` if the file is of another store, `PositionExpired` if it is too old to be gone on with,
/// `Corrupt` if it is not what an export wrote.
pub async fn export(store: &dyn Store, path: &Path) -> Result<Exported> {
    let about = |error: std::io::Error| unavailable(path, &error);
    let own = format!("{:016x}", store.opened().store);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = options.map_err(about)?;
    let Begun { mut mark, mut sum, length } = begun(path, &file, &own)?;
    file.set_len(length).map_err(about)?;
    file.seek(SeekFrom::Start(length)).map_err(about)?;
    let mut buffer = Vec::new();
    if length == 0 {
        push(path, &mut buffer, &Line::Store { format: FORMAT, id: own })?;
    }
    let mut position: Position =
        mark.position.parse().map_err(|_| corrupt(path, "a mark holds no position of a feed"))?;
    let mut exported = Exported::default();
    loop {
        let changes = store.changes(&position, STEP).await?;
        for change in &changes.items {
            let (line, count) = match change {
                Change::Updated(operation) => (Line::operation(operation), &mut mark.operations),
                Change::Deleted { id, version } => {
                    let birth = format!("{:016x}", version.birth());
                    (Ok(Line::Deleted { id: id.clone(), birth }), &mut mark.deletions)
                }
            };
            push(path, &mut buffer, &line.map_err(|what| corrupt(path, what))?)?;
            *count = count.saturating_add(1);
            exported.written = exported.written.saturating_add(1);
        }
        position = changes.next;
        sum.update(&buffer);
        (mark.position, mark.end) = (position.to_string(), changes.at_end);
        mark.sum = mark.sum_after(&sum);
        let before = buffer.len();
        push(path, &mut buffer, &Line::Mark(mark.clone()))?;
        sum.update(buffer.get(before..).unwrap_or_default());
        file.write_all(&buffer).map_err(about)?;
        buffer.clear();
        if changes.at_end {
            exported.behind = changes.behind;
            break;
        }
    }
    sync(path, &file).map_err(about)?;
    Ok(Exported { operations: mark.operations, deletions: mark.deletions, ..exported })
}

/// What an earlier export has left to go on from.
struct Begun {
    mark: Mark,
    sum: crc32fast::Hasher,
    /// Up to the end of that mark.
    length: u64,
}

fn begun(path: &Path, file: &File, own: &str) -> Result<Begun> {
    let start = Position::START.to_string();
    let nothing = Mark { position: start, operations: 0, deletions: 0, sum: 0, end: false };
    let mut begun = Begun { mark: nothing, sum: crc32fast::Hasher::new(), length: 0 };
    let mut lines = Lines::of(path, file.try_clone().map_err(|error| unavailable(path, &error))?)?;
    while let Some(line) = lines.next()? {
        match line {
            Line::Store { id, .. } if id != own => {
                let message = format!("{} holds the operations of another store", path.display());
                return Err(Error::new(ErrorKind::Invalid, "fileOfAnotherStore", message));
            }
            Line::Mark(mark) => begun = Begun { mark, sum: lines.hasher(), length: lines.read },
            _ => {}
        }
    }
    Ok(begun)
}

fn push(path: &Path, buffer: &mut Vec<u8>, line: &Line) -> Result<()> {
    serde_json::to_writer(&mut *buffer, line).map_err(|error| corrupt(path, error))?;
    buffer.push(b'\n');
    Ok(())
}

/// The file's bytes and its name.
fn sync(path: &Path, file: &File) -> std::io::Result<()> {
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
