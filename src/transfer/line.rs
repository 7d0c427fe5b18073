//! What stands in a line, and reading a file of them.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{corrupt, unavailable};
use crate::error::Result;
use crate::model::{Operation, OperationId};
use crate::store::record::{self, Entry, Record};
use crate::wire;

/// The format that is written.
pub(super) const FORMAT: u32 = 1;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Line {
    /// The first one.
    Store { format: u32, id: String },
    /// An operation: its record's bytes are the truth, the JSON beside them is for people.
    Operation { id: OperationId, record: String, shown: Box<RawValue> },
    /// One that was exported before is gone.
    Deleted { id: OperationId, birth: String },
    /// All before this belongs together.
    Mark(Mark),
}

/// How far an export has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Mark {
    /// Where the feed goes on.
    pub(super) position: String,
    /// Lines of operations and deletions so far.
    pub(super) operations: u64,
    pub(super) deletions: u64,
    /// CRC-32 of all bytes before this line and of what else it says.
    pub(super) sum: u32,
    /// Whether the feed was at its end.
    pub(super) end: bool,
}

impl Mark {
    /// Its sum where this was read before.
    pub(super) fn sum_after(&self, before: &crc32fast::Hasher) -> u32 {
        let Self { position, operations, deletions, end, sum: _ } = self;
        let mut sum = before.clone();
        sum.update(format!("{position} {operations} {deletions} {end}").as_bytes());
        sum.finalize()
    }
}

impl Line {
    pub(super) fn operation(operation: &Operation) -> Result<Self, String> {
        let record = Record::new(0, Entry::Live(operation.clone()));
        let record = record::encode(&record).map_err(|error| error.to_string())?;
        let shown = RawValue::from_string(wire::to_json(&wire::Entity::new(operation)));
        let shown = shown.map_err(|error| error.to_string())?;
        Ok(Self::Operation { id: operation.id().clone(), record: hexadecimal(&record), shown })
    }
}

/// The operation of a line.
pub(super) fn decode(id: &OperationId, text: &str) -> Result<Operation, String> {
    let bytes = bytes(text).ok_or("the record is not hexadecimal")?;
    let record = record::decode(&record::key(id), &bytes).map_err(|error| error.to_string())?;
    record.live().ok_or_else(|| "the record is a tombstone".into())
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map(char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let pairs = digits?;
    let (pairs, rest) = pairs.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Reads lines one after another.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    path: &'a Path,
    file: BufReader<File>,
    number: u64,
    /// Bytes read, and their sum.
    pub(super) read: u64,
    sum: crc32fast::Hasher,
}

impl<'a> Lines<'a> {
    pub(super) fn of(path: &'a Path, file: File) -> Result<Self> {
        let mut file = BufReader::new(file);
        file.seek(SeekFrom::Start(0)).map_err(|error| unavailable(path, &error))?;
        Ok(Self { path, file, number: 0, read: 0, sum: crc32fast::Hasher::new() })
    }

    /// The next whole line; `None` at the end, or where the last line was torn.
    pub(super) fn next(&mut self) -> Result<Option<Line>> {
        let mut text = Vec::new();
        self.file.read_until(b'\n', &mut text).map_err(|error| unavailable(self.path, &error))?;
        if text.last() != Some(&b'\n') {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        let line = serde_json::from_slice(&text).map_err(|error| self.wrong(error))?;
        match &line {
            Line::Store { format, .. } if self.number == 1 && *format > FORMAT => {
                return Err(self.wrong(format!("format {format} is newer than {FORMAT}")));
            }
            Line::Mark(mark) if mark.sum != mark.sum_after(&self.sum) => {
                return Err(self.wrong("what stands before it is not what was written"));
            }
            Line::Store { .. } if self.number > 1 => return Err(self.wrong("a second beginning")),
            line if self.number == 1 && !matches!(line, Line::Store { .. }) => {
                return Err(self.wrong("the first line must say which store this is of"));
            }
            _ => {}
        }
        self.sum.update(&text);
        self.read = self.read.saturating_add(text.len() as u64);
        Ok(Some(line))
    }

    /// The sum of what was read, to go on with.
    pub(super) fn hasher(&self) -> crc32fast::Hasher {
        self.sum.clone()
    }

    /// What is wrong with the line read last.
    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> crate::Error {
        corrupt(self.path, format_args!("line {}: {what}", self.number))
    }
}
