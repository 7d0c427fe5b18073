//! The newest value of each key, kept once: in the bytes of the frame that made it durable.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashTable;

use super::frames;

/// Changes that become durable together, in the bytes of their frame.
pub(super) struct Payload {
    pub(super) bytes: Vec<u8>,
    places: Vec<Place>,
}

/// A payload as it was written.
pub(super) struct Frame {
    bytes: Arc<[u8]>,
    places: Box<[Place]>,
}

/// Where one change is among the bytes of its frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    key: u32,
    value: u32,
    /// Where the value ends; `None` where the key is taken away.
    end: Option<u32>,
}

impl Default for Payload {
    fn default() -> Self {
        Self { bytes: frames::payload(), places: Vec::new() }
    }
}

impl Payload {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a change: a value, or `None` where the key is taken away.
    pub(super) fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        frames::push(&mut self.bytes, key, value);
        let end = self.bytes.len();
        let start = end.saturating_sub(value.map_or(0, <[u8]>::len));
        // A payload is cut off long before 4 GiB.
        let at = |index| u32::try_from(index).unwrap_or(u32::MAX);
        let key = at(start.saturating_sub(key.len()));
        self.places.push(Place { key, value: at(start), end: value.map(|_| at(end)) });
    }

    /// As it is once it is written.
    pub(super) fn written(self) -> Frame {
        Frame { bytes: self.bytes.into(), places: self.places.into() }
    }
}

impl Frame {
    /// Its changes, in the order they were made.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(super) fn key(&self, place: Place) -> &[u8] {
        slice(&self.bytes, place.key, place.value)
    }

    pub(super) fn value(&self, place: Place) -> Option<&[u8]> {
        place.end.map(|end| slice(&self.bytes, place.value, end))
    }
}

fn slice(bytes: &[u8], start: u32, end: u32) -> &[u8] {
    let at = |index| usize::try_from(index).unwrap_or(usize::MAX);
    bytes.get(Range { start: at(start), end: at(end) }).unwrap_or_default()
}

/// Finds the newest value of a key.
#[derive(Default)]
pub(super) struct Newest {
    table: HashTable<Entry>,
    hasher: RandomState,
}

/// A change that is the newest of its key, without a copy of it.
#[derive(Clone)]
pub(super) struct Entry {
    /// Kept, so that a table that grows reads no frame.
    hash: u64,
    bytes: Arc<[u8]>,
    place: Place,
}

impl Entry {
    pub(super) fn key(&self) -> &[u8] {
        slice(&self.bytes, self.place.key, self.place.value)
    }

    /// `None` where the key is taken away.
    pub(super) fn value(&self) -> Option<&[u8]> {
        self.place.end.map(|end| slice(&self.bytes, self.place.value, end))
    }

    fn is(&self, frame: &Frame, place: Place) -> bool {
        Arc::ptr_eq(&self.bytes, &frame.bytes) && self.place == place
    }
}

impl Newest {
    /// All changes of a frame are the newest of their keys now.
    pub(super) fn set(&mut self, frame: &Frame) {
        for place in frame.places() {
            let key = frame.key(*place);
            let hash = self.hasher.hash_one(key);
            let entry = Entry { hash, bytes: Arc::clone(&frame.bytes), place: *place };
            match self.table.find_mut(hash, |known| known.hash == hash && known.key() == key) {
                Some(known) => *known = entry,
                None => drop(self.table.insert_unique(hash, entry, |known| known.hash)),
            }
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Entry> {
        let hash = self.hasher.hash_one(key);
        self.table.find(hash, |known| known.hash == hash && known.key() == key).cloned()
    }

    pub(super) fn all(&self) -> Vec<Entry> {
        self.table.iter().cloned().collect()
    }

    /// Whether this change is the newest of its key.
    pub(super) fn is(&self, frame: &Frame, place: Place) -> bool {
        let hash = self.hasher.hash_one(frame.key(place));
        self.table.find(hash, |known| known.is(frame, place)).is_some()
    }

    /// Forgets those of these changes that are the newest of their keys still.
    pub(super) fn forget(&mut self, frame: &Frame, places: &[Place]) {
        for place in places {
            let hash = self.hasher.hash_one(frame.key(*place));
            if let Ok(known) = self.table.find_entry(hash, |known| known.is(frame, *place)) {
                drop(known.remove());
            }
        }
    }
}
