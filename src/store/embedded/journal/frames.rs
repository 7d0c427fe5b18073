//! The journal's file: two halves of blocks written beforehand, used in turn, and the frames in them.
//!
//! A frame is what one sync made durable: 24 bytes of header (mark, generation, length, CRC-32) and its
//! operations, padded to 512 bytes, so that no sector belongs to two frames. Each use of a half has a higher
//! generation. Frames are synced one after the other: only the last one can be torn.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::path::Path;

use super::super::engine::EngineError;
use crate::store::StoreError;

const SECTOR: usize = 512;
const HEADER: usize = 24;
/// Never in a text, so never at the start of a sector by somebody's will.
const MARK: [u8; 8] = *b"\xfflrjrnl1";
/// The first sector: mark, the journal's number, bytes of a half, CRC-32.
const HEAD: usize = SECTOR;
const TAG: [u8; 8] = *b"\xfflrhead1";

/// One change of a key: a value, or `None` where it is taken away.
pub(crate) type Change = (Box<[u8]>, Option<Box<[u8]>>);

/// What a half holds.
#[derive(Debug, Default)]
pub(super) struct Half {
    pub(super) generation: u64,
    /// In the order they were made durable.
    pub(super) changes: Vec<Change>,
    /// Where the next frame goes.
    end: usize,
}

/// What was found in the file.
#[derive(Debug)]
pub(super) struct Found {
    /// The one written last is the second.
    pub(super) halves: [Half; 2],
    /// The engine holds all of it.
    pub(super) clean: bool,
}

/// The open file and where the next frame goes.
#[derive(Debug)]
pub(super) struct Frames {
    file: File,
    /// The journal's number, which the engine knows too.
    pub(super) number: u64,
    /// Bytes of a half. The engine must be filled once for each of them.
    pub(super) size: usize,
    half: usize,
    end: usize,
    pub(super) generation: u64,
}

impl Frames {
    /// Makes an empty journal: written whole beside its place, synced, and moved there.
    pub(super) fn create(path: &Path, number: u64, size: usize) -> io::Result<()> {
        let building = path.with_extension("tmp");
        let mut bytes = vec![0; HEAD.saturating_add(size.saturating_mul(2))];
        let mut head = Vec::with_capacity(28);
        head.extend_from_slice(&TAG);
        head.extend_from_slice(&number.to_le_bytes());
        head.extend_from_slice(&u64::try_from(size).unwrap_or(u64::MAX).to_le_bytes());
        head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
        for (slot, byte) in bytes.iter_mut().zip(head) {
            *slot = byte;
        }
        let mut file = File::create(&building)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&building, path)?;
        // Elsewhere a folder cannot be opened, and its entries are not ours to sync.
        if cfg!(unix) { File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all() } else { Ok(()) }
    }

    /// Opens the file and reads all frames.
    ///
    /// `Corrupt` where a frame that was followed by others cannot be read: what came after it would be lost.
    pub(super) fn open(path: &Path) -> Result<(Self, Found), StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("{}: {what}", path.display()));
        let mut file = File::options().read(true).write(true).open(path).map_err(StoreError::definite)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(StoreError::definite)?;
        let (head, halves) = bytes.split_at_checked(HEAD).ok_or_else(|| corrupt("shorter than a journal"))?;
        let (number, size) = read_head(head).ok_or_else(|| corrupt("is no journal of this version"))?;
        let (first, rest) = halves.split_at_checked(size).ok_or_else(|| corrupt("shorter than a journal"))?;
        let (second, _) = rest.split_at_checked(size).ok_or_else(|| corrupt("shorter than a journal"))?;
        let [first, second] = [read(first), read(second)];
        // The newer one is the one in use.
        let half = usize::from(second.half.generation > first.half.generation);
        let (older, newer) = if half == 0 { (second, first) } else { (first, second) };
        if !newer.clean && (newer.gap || newer.late_start || older.gap) {
            return Err(corrupt("a frame in the middle cannot be read"));
        }
        let frames =
            Self { file, number, size, half, end: newer.half.end, generation: newer.half.generation.max(1) };
        let clean = newer.clean;
        Ok((frames, Found { halves: [older.half, newer.half], clean }))
    }

    /// Makes durable what is in the page cache.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Bytes of the half in use that are written.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Whether a payload of this length fits into the half in use.
    pub(super) fn fits(&self, length: usize) -> bool {
        self.end.saturating_add(padded(length)) <= self.size
    }

    /// Goes on in the other half, whose frames are no longer needed.
    pub(super) fn turn(&mut self) {
        self.half ^= 1;
        self.end = 0;
        self.generation = self.generation.saturating_add(1);
    }

    /// Writes one frame, of which `payload` leaves the header free, and waits until it is durable.
    pub(super) fn append(&mut self, payload: &mut Vec<u8>) -> Result<(), EngineError> {
        let length = payload.len().saturating_sub(HEADER);
        payload.resize(padded(length), 0);
        let body = payload.get(HEADER..HEADER.saturating_add(length)).unwrap_or_default();
        let sum = frame_sum(self.generation, body);
        let header = MARK.into_iter().chain(self.generation.to_le_bytes());
        let length = u32::try_from(length).map_err(|_| "a frame of over 4 GiB")?;
        let header = header.chain(length.to_le_bytes()).chain(sum.to_le_bytes());
        for (slot, byte) in payload.iter_mut().zip(header) {
            *slot = byte;
        }
        let at = HEAD.saturating_add(self.half.saturating_mul(self.size)).saturating_add(self.end);
        self.file.seek(SeekFrom::Start(u64::try_from(at)?))?;
        self.file.write_all(payload)?;
        self.file.sync_data()?;
        self.end = self.end.saturating_add(payload.len());
        Ok(())
    }
}

/// Every change that can still be read, of whatever generation, the newest last.
#[cfg(feature = "sled")]
pub(super) fn salvage(path: &Path) -> io::Result<Vec<Change>> {
    let bytes = fs::read(path)?;
    // What is left of a damaged file may have no head: then all of it is read as one.
    let size = bytes.get(..HEAD).and_then(read_head).map_or(bytes.len().max(1), |(_, size)| size);
    let mut halves: Vec<Half> =
        bytes.get(HEAD..).unwrap_or_default().chunks(size).map(|half| read(half).half).collect();
    halves.sort_by_key(|half| half.generation);
    Ok(halves.into_iter().flat_map(|half| half.changes).collect())
}

/// An empty payload, with room for the header.
pub(super) fn payload() -> Vec<u8> {
    vec![0; HEADER]
}

/// Adds a change to a payload.
pub(super) fn push(payload: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    // Keys are ids: at most 129 bytes. The top bit of the value's length tells a removal.
    let key_length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let value_length = value.map_or(u32::MAX, |value| u32::try_from(value.len()).unwrap_or(u32::MAX - 1));
    payload.extend_from_slice(&key_length.to_le_bytes());
    payload.extend_from_slice(&value_length.to_le_bytes());
    payload.extend_from_slice(key);
    payload.extend_from_slice(value.unwrap_or_default());
}

fn padded(length: usize) -> usize {
    length.saturating_add(HEADER).next_multiple_of(SECTOR)
}

fn frame_sum(generation: u64, body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&generation.to_le_bytes());
    sum.update(body);
    sum.finalize()
}

/// The journal's number, and bytes of a half.
fn read_head(head: &[u8]) -> Option<(u64, usize)> {
    let (number, rest) = head.strip_prefix(&TAG)?.split_first_chunk::<8>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (sum, _) = rest.split_first_chunk::<4>()?;
    let size = usize::try_from(u64::from_le_bytes(*size)).ok().filter(|size| *size > 0)?;
    (crc32fast::hash(head.get(..24)?) == u32::from_le_bytes(*sum)).then_some((u64::from_le_bytes(*number), size))
}

/// A half as it was read.
#[derive(Debug, Default)]
struct Read {
    half: Half,
    /// The last frame says that the engine holds everything.
    clean: bool,
    /// Something unreadable lies between frames of the newest generation.
    gap: bool,
    /// Something unreadable lies before them.
    late_start: bool,
}

fn read(half: &[u8]) -> Read {
    let mut frames = Vec::new();
    let mut at = 0_usize;
    while let Some(rest) = half.get(at..).filter(|rest| rest.len() >= HEADER) {
        match frame(rest) {
            Some((generation, body)) => {
                frames.push((at, generation, body));
                at = at.saturating_add(padded(body.len()));
            }
            None => at = at.saturating_add(SECTOR),
        }
    }
    let Some(newest) = frames.iter().map(|(_, generation, _)| *generation).max() else { return Read::default() };
    let mut read = Read { half: Half { generation: newest, ..Half::default() }, ..Read::default() };
    let mut next = None;
    for (at, _, body) in frames.into_iter().filter(|(_, generation, _)| *generation == newest) {
        read.late_start |= next.is_none() && at != 0;
        read.gap |= next.is_some_and(|next| next != at);
        read.clean = body.is_empty();
        read.half.end = at.saturating_add(padded(body.len()));
        next = Some(read.half.end);
        read.half.changes.extend(changes(body));
    }
    read
}

/// The frame at the start of these bytes, if one is there.
fn frame(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (generation, rest) = bytes.strip_prefix(&MARK)?.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let body = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let generation = u64::from_le_bytes(*generation);
    (frame_sum(generation, body) == u32::from_le_bytes(*sum)).then_some((generation, body))
}

fn changes(mut body: &[u8]) -> Vec<Change> {
    let mut all = Vec::new();
    while let Some((change, rest)) = change(body) {
        all.push(change);
        body = rest;
    }
    all
}

fn change(body: &[u8]) -> Option<(Change, &[u8])> {
    let (key_length, rest) = body.split_first_chunk::<4>()?;
    let (value_length, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*key_length)).ok()?)?;
    match u32::from_le_bytes(*value_length) {
        u32::MAX => Some(((key.into(), None), rest)),
        length => {
            let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some(((key.into(), Some(value.into())), rest))
        }
    }
}
