//! Versioned, checksummed bytes ⇄ a record. Every store keeps these bytes as the truth; columns and indexes
//! are derived from them.
//!
//! A record is one byte of format version, four bytes of CRC-32, eight bytes of sequence (both little
//! endian), and the body in postcard; since format 2 the members that few operations have follow it, each
//! once and in order, so that those without pay no byte for them. The checksum covers key, body, format and sequence in this order:
//! bytes that ended up under another key are refused. Every format ever released has a fixture that must
//! still decode.

#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Parts;
use crate::model::log::Line;
use crate::model::{
    Amount, Failure, Json, More, Operation, OperationId, Progress, State, Timestamp, Version, Work,
};

/// The format that [`encode`] writes.
pub const FORMAT: u8 = 2;
/// The format before members followed the body.
const WITHOUT_MEMBERS: u8 = 1;

/// A record: an operation, or the tombstone of one, with its place in the feed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// Its place in the feed; 0 where the store orders its feed elsewhere.
    pub sequence: u64,
    /// What stands under the key.
    pub entry: Entry,
}

/// What stands under the key of a record.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a reader must treat both")]
pub enum Entry {
    /// An operation.
    Live(Operation),
    /// The trace of a deleted one.
    Tombstone {
        /// Its name.
        id: OperationId,
        /// The version that was removed.
        version: Version,
        /// When, by the store's clock.
        at: Timestamp,
    },
}

impl Record {
    /// A record at a place in the feed.
    pub const fn new(sequence: u64, entry: Entry) -> Self {
        Self { sequence, entry }
    }

    /// The operation; `None` of a tombstone.
    pub const fn operation(&self) -> Option<&Operation> {
        match &self.entry {
            Entry::Live(operation) => Some(operation),
            Entry::Tombstone { .. } => None,
        }
    }

    /// [`operation`](Self::operation), taken out.
    pub fn live(self) -> Option<Operation> {
        match self.entry {
            Entry::Live(operation) => Some(operation),
            Entry::Tombstone { .. } => None,
        }
    }

    /// Whose record this is.
    pub fn id(&self) -> &OperationId {
        match &self.entry {
            Entry::Live(operation) => operation.id(),
            Entry::Tombstone { id, .. } => id,
        }
    }

    /// Its version; of a tombstone, the one that was removed.
    pub fn version(&self) -> Version {
        match &self.entry {
            Entry::Live(operation) => operation.version(),
            Entry::Tombstone { version, .. } => *version,
        }
    }
}

/// Bytes that are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// Written by a newer version of this library.
    Newer(u8),
    /// Not what was written.
    Corrupt(&'static str),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(format) => write!(f, "record format {format} is newer than {FORMAT}"),
            Self::Corrupt(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for RecordError {}

/// Bytes before the body: format, checksum, sequence.
const HEADER: usize = 13;

/// Most records fit into so many bytes, which are asked of the allocator at once.
const USUAL: usize = 192;

/// The key under which an id's record stands: one byte for the form of the id, then the id.
///
/// Keys that begin with 0 belong to the store itself; no id has one.
pub fn key(id: &OperationId) -> Vec<u8> {
    match id.as_uuid() {
        Some(uuid) => [&[1], uuid.as_bytes().as_slice()].concat(),
        None => [&[2], id.to_string().as_bytes()].concat(),
    }
}

/// The id whose record stands under a key.
fn id(key: &[u8]) -> Result<OperationId, RecordError> {
    let id = match key.split_first() {
        Some((1, uuid)) => uuid::Uuid::from_slice(uuid).ok().map(OperationId::from),
        Some((2, text)) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    id.filter(|id| self::key(id) == key).ok_or(RecordError::Corrupt("stands under a key that is no id"))
}

/// A record without its place in the feed, which is known only under the store's lock.
#[derive(Clone, Debug)]
pub struct Unplaced {
    bytes: Vec<u8>,
    sum: crc32fast::Hasher,
}

impl Unplaced {
    /// Encodes all but the place.
    pub fn new(key: &[u8], entry: &Entry) -> Result<Self, RecordError> {
        let cannot = |_| RecordError::Corrupt("cannot be encoded");
        let mut bytes = Vec::with_capacity(USUAL);
        bytes.resize(HEADER, 0);
        let mut bytes = postcard::to_extend(&Body::from(entry), bytes).map_err(cannot)?;
        for member in Member::all(entry) {
            bytes = postcard::to_extend(&member, bytes).map_err(cannot)?;
        }
        let mut sum = crc32fast::Hasher::new();
        sum.update(key);
        sum.update(bytes.get(HEADER..).unwrap_or_default());
        Ok(Self { bytes, sum })
    }

    /// The bytes of the record at its place.
    pub fn at(mut self, sequence: u64) -> Vec<u8> {
        self.sum.update(&[FORMAT]);
        self.sum.update(&sequence.to_le_bytes());
        let sum = self.sum.finalize().to_le_bytes();
        let header = [FORMAT].into_iter().chain(sum).chain(sequence.to_le_bytes());
        for (slot, byte) in self.bytes.iter_mut().zip(header) {
            *slot = byte;
        }
        self.bytes
    }
}

/// The bytes of a record.
pub fn encode(record: &Record) -> Result<Vec<u8>, RecordError> {
    Ok(Unplaced::new(&key(record.id()), &record.entry)?.at(record.sequence))
}

/// The record that stands under a key.
pub fn decode(key: &[u8], bytes: &[u8]) -> Result<Record, RecordError> {
    let (header, body) =
        bytes.split_first_chunk::<HEADER>().ok_or(RecordError::Corrupt("shorter than its header"))?;
    let [format, s0, s1, s2, s3, place @ ..] = *header;
    let mut sum = crc32fast::Hasher::new();
    for part in [key, body, &[format], &place] {
        sum.update(part);
    }
    if sum.finalize() != u32::from_le_bytes([s0, s1, s2, s3]) {
        return Err(RecordError::Corrupt("checksum does not match"));
    }
    match format {
        WITHOUT_MEMBERS | FORMAT => {}
        newer if newer > FORMAT => return Err(RecordError::Newer(newer)),
        _ => return Err(RecordError::Corrupt("unknown format")),
    }
    let (body, rest) =
        postcard::take_from_bytes::<Body<'_>>(body).map_err(|_| RecordError::Corrupt("body unreadable"))?;
    let mut entry = body.into_entry(id(key)?)?;
    match &mut entry {
        _ if rest.is_empty() => {}
        Entry::Live(operation) if format != WITHOUT_MEMBERS => Member::take_all(rest, operation)?,
        _ => return Err(RecordError::Corrupt("bytes after the body")),
    }
    Ok(Record { sequence: u64::from_le_bytes(place), entry })
}

/// Ticks and offset minutes.
type Stamp = (i64, i16);

/// Birth, n, instance.
type Number = (u64, u64, u32);

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    version: Number,
    #[serde(borrow)]
    entry: Flat<'a>,
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "lives for one call on the stack")]
enum Flat<'a> {
    #[serde(borrow)]
    Live(FlatOperation<'a>),
    Tombstone(Stamp),
}

#[derive(Serialize, Deserialize)]
struct FlatOperation<'a> {
    type_name: Option<&'a str>,
    #[serde(borrow)]
    labels: Vec<(&'a str, &'a str)>,
    retry_of: Option<String>,
    created: Stamp,
    last_action: Stamp,
    detail: Option<&'a str>,
    location: Option<&'a str>,
    #[serde(borrow)]
    state: FlatState<'a>,
}

#[derive(Serialize, Deserialize)]
enum FlatState<'a> {
    NotStarted,
    #[serde(borrow)]
    Running(FlatWork<'a>),
    Completed(FlatWork<'a>, Option<&'a str>),
    Failed(FlatWork<'a>, Option<FlatFailure<'a>>),
}

#[derive(Serialize, Deserialize)]
struct FlatWork<'a> {
    started: Stamp,
    holder: Option<&'a str>,
    progress: Option<u8>,
    cancellation_requested: Option<Stamp>,
}

#[derive(Serialize, Deserialize)]
struct FlatFailure<'a> {
    code: &'a str,
    message: &'a str,
    target: Option<&'a str>,
    details: Option<&'a str>,
}

/// What follows the body. A format may add variants at the end.
#[derive(Serialize, Deserialize)]
enum Member<'a> {
    Deadline(Stamp),
    Group(&'a str),
    UniqueKey(&'a str),
    TraceParent(&'a str),
    Amount(u64, u64, &'a str),
    #[serde(borrow)]
    Log(Vec<(Stamp, &'a str)>),
}

impl<'a> Member<'a> {
    /// The members of an entry, in the order of the variants.
    fn all(entry: &'a Entry) -> impl Iterator<Item = Self> {
        let live = match entry {
            Entry::Live(operation) => Some(operation),
            Entry::Tombstone { .. } => None,
        };
        let all = live.map(|operation| {
            let more = operation.0.more.as_deref();
            let lines = operation.lines().iter().map(|line| (flat(line.at), &*line.text));
            [
                more.and_then(|more| more.deadline).map(|deadline| Self::Deadline(flat(deadline))),
                operation.group().map(Self::Group),
                operation.unique_key().map(Self::UniqueKey),
                operation.trace_parent().map(|parent| Self::TraceParent(parent.as_str())),
                operation.amount().map(|amount| Self::Amount(amount.done(), amount.total(), amount.unit())),
                (lines.len() > 0).then(|| Self::Log(lines.collect())),
            ]
        });
        all.into_iter().flatten().flatten()
    }

    fn number(&self) -> u8 {
        match self {
            Self::Deadline(_) => 1,
            Self::Group(_) => 2,
            Self::UniqueKey(_) => 3,
            Self::TraceParent(_) => 4,
            Self::Amount(..) => 5,
            Self::Log(_) => 6,
        }
    }

    /// Reads all that follows a body into its operation.
    fn take_all(mut rest: &'a [u8], operation: &mut Operation) -> Result<(), RecordError> {
        let parts = Arc::make_mut(&mut operation.0);
        let (mut more, mut last) = (More::default(), 0);
        while !rest.is_empty() {
            let (member, after) =
                postcard::take_from_bytes::<Self>(rest).map_err(|_| RecordError::Corrupt("member unreadable"))?;
            if member.number() <= last {
                return Err(RecordError::Corrupt("members out of order"));
            }
            (rest, last) = (after, member.number());
            match member {
                Self::Deadline(deadline) => more.deadline = Some(stamp(deadline)?),
                Self::Group(group) => more.group = Some(group.into()),
                Self::UniqueKey(key) => more.unique_key = Some(key.into()),
                Self::TraceParent(text) => {
                    let parent = text.parse().map_err(|_| RecordError::Corrupt("traceParent is none"))?;
                    more.trace_parent = Some(parent);
                }
                Self::Amount(done, total, unit) => {
                    let work = parts.state.work_mut().ok_or(RecordError::Corrupt("progress before the start"))?;
                    work.amount = Some(Box::new(Amount::new(done, total, unit)));
                }
                Self::Log(lines) => {
                    let line = |(at, text): (Stamp, &str)| Ok(Line { at: stamp(at)?, text: text.into() });
                    more.log = lines.into_iter().map(line).collect::<Result<_, _>>()?;
                }
            }
        }
        parts.more = more.shared();
        Ok(())
    }
}

impl<'a> From<&'a Entry> for Body<'a> {
    fn from(entry: &'a Entry) -> Self {
        let (version, entry) = match entry {
            Entry::Live(operation) => (operation.version(), Flat::Live(operation.into())),
            Entry::Tombstone { version, at, .. } => (*version, Flat::Tombstone(flat(*at))),
        };
        Self { version: (version.birth, version.n, version.instance), entry }
    }
}

impl<'a> From<&'a Operation> for FlatOperation<'a> {
    fn from(operation: &'a Operation) -> Self {
        let state = match operation.state() {
            State::NotStarted => FlatState::NotStarted,
            State::Running(work) => FlatState::Running(work.into()),
            State::Completed { work, result } => {
                FlatState::Completed(work.into(), result.as_ref().map(Json::as_str))
            }
            State::Failed { work, failure } => FlatState::Failed(work.into(), failure.as_ref().map(Into::into)),
        };
        Self {
            type_name: operation.type_name(),
            labels: operation.labels().collect(),
            retry_of: operation.retry_of().map(ToString::to_string),
            created: flat(operation.0.created),
            last_action: flat(operation.0.last_action),
            detail: operation.detail(),
            location: operation.resource_location(),
            state,
        }
    }
}

impl<'a> From<&'a Work> for FlatWork<'a> {
    fn from(work: &'a Work) -> Self {
        Self {
            started: flat(work.started),
            holder: work.holder.as_deref(),
            progress: work.progress.map(Progress::percent),
            cancellation_requested: work.cancellation_requested.map(flat),
        }
    }
}

impl<'a> From<&'a Failure> for FlatFailure<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            code: failure.code(),
            message: failure.message(),
            target: failure.about(),
            details: failure.more().map(Json::as_str),
        }
    }
}

impl Body<'_> {
    fn into_entry(self, id: OperationId) -> Result<Entry, RecordError> {
        let (birth, n, instance) = self.version;
        let version = Version::new(birth, n, instance);
        Ok(match self.entry {
            Flat::Tombstone(at) => Entry::Tombstone { id, version, at: stamp(at)? },
            Flat::Live(flat) => Entry::Live(flat.into_operation(id, version)?),
        })
    }
}

impl FlatOperation<'_> {
    fn into_operation(self, id: OperationId, version: Version) -> Result<Operation, RecordError> {
        let state = match self.state {
            FlatState::NotStarted => State::NotStarted,
            FlatState::Running(work) => State::Running(work.try_into()?),
            FlatState::Completed(work, result) => {
                State::Completed { work: work.try_into()?, result: result.map(Json::from_checked) }
            }
            FlatState::Failed(work, failure) => {
                State::Failed { work: work.try_into()?, failure: failure.map(Into::into) }
            }
        };
        let retry_of = self.retry_of.as_deref().map(str::parse).transpose();
        let parts = Parts {
            id,
            version,
            type_name: self.type_name.map(Into::into),
            labels: self.labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
            retry_of: retry_of.map_err(|_| RecordError::Corrupt("retryOf is no id"))?,
            created: stamp(self.created)?,
            last_action: stamp(self.last_action)?,
            detail: self.detail.map(Into::into),
            resource_location: self.location.map(Into::into),
            more: None,
            state,
        };
        Operation::from_parts(parts).map_err(RecordError::Corrupt)
    }
}

impl TryFrom<FlatWork<'_>> for Work {
    type Error = RecordError;

    fn try_from(flat: FlatWork<'_>) -> Result<Self, RecordError> {
        let progress = flat.progress.map(|percent| Progress::try_from(i64::from(percent))).transpose();
        Ok(Self {
            started: stamp(flat.started)?,
            holder: flat.holder.map(Into::into),
            progress: progress.map_err(|_| RecordError::Corrupt("progress out of range"))?,
            amount: None,
            cancellation_requested: flat.cancellation_requested.map(stamp).transpose()?,
        })
    }
}

impl From<FlatFailure<'_>> for Failure {
    fn from(flat: FlatFailure<'_>) -> Self {
        let mut failure = Self::new(flat.code, flat.message);
        if let Some(target) = flat.target {
            failure = failure.target(target);
        }
        if let Some(details) = flat.details {
            failure = failure.details(Json::from_checked(details));
        }
        failure
    }
}

fn flat(stamp: Timestamp) -> Stamp {
    (stamp.ticks(), stamp.offset_minutes())
}

fn stamp((ticks, offset): Stamp) -> Result<Timestamp, RecordError> {
    Timestamp::new(ticks, offset).map_err(|_| RecordError::Corrupt("time out of range"))
}
