//! Many small values in an order that the caller knows, packed: a chunk is full where values come at the end.

use std::fmt;

/// Values in one chunk at most. More make a change slower, fewer make the list of chunks longer.
const CHUNK: usize = 256;

/// Each call says what is before the place it means: a test that is true up to there and false from there on.
pub(super) struct Sorted<T> {
    /// None is empty.
    chunks: Vec<Vec<T>>,
    len: usize,
}

/// A place: its chunk, and where in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct At(usize, usize);

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> fmt::Debug for Sorted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sorted").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T: Copy> Sorted<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn last(&self) -> Option<T> {
        self.chunks.last()?.last().copied()
    }

    /// The first value that is not before.
    pub(super) fn find(&self, before: impl Fn(T) -> bool) -> At {
        let ends_before = |chunk: &Vec<T>| chunk.last().is_some_and(|last| before(*last));
        // Most of what is asked for is new, or was new a moment ago.
        let at = match self.chunks.last() {
            Some(last) if ends_before(last) => self.chunks.len(),
            _ => self.chunks.partition_point(ends_before),
        };
        At(at, self.chunks.get(at).map_or(0, |chunk| chunk.partition_point(|value| before(*value))))
    }

    pub(super) fn insert(&mut self, value: T, before: impl Fn(T) -> bool) {
        let At(mut at, mut place) = self.find(before);
        self.len = self.len.saturating_add(1);
        let full = |chunk: &Vec<T>| chunk.len() >= CHUNK;
        if at == self.chunks.len() {
            match self.chunks.last_mut() {
                Some(last) if !full(last) => last.push(value),
                _ => self.chunks.push(vec![value]),
            }
            return;
        }
        // At the end values come nearly in order: little has to be left free for those that come late.
        let kept = if at.saturating_add(1) == self.chunks.len() { CHUNK / 8 * 7 } else { CHUNK / 2 };
        if let Some(rest) = self.chunks.get_mut(at).filter(|chunk| full(chunk)).map(|chunk| chunk.split_off(kept)) {
            self.chunks.insert(at.saturating_add(1), rest);
            if place > kept {
                (at, place) = (at.saturating_add(1), place.saturating_sub(kept));
            }
        }
        if let Some(chunk) = self.chunks.get_mut(at) {
            chunk.insert(place, value);
        }
    }

    /// Takes out the first value that is not before, if it is the one that is meant.
    pub(super) fn remove(&mut self, before: impl Fn(T) -> bool, is_meant: impl Fn(T) -> bool) -> bool {
        let At(at, place) = self.find(before);
        let Some(chunk) = self.chunks.get_mut(at) else { return false };
        if !chunk.get(place).is_some_and(|value| is_meant(*value)) {
            return false;
        }
        chunk.remove(place);
        self.len = self.len.saturating_sub(1);
        if chunk.is_empty() {
            self.chunks.remove(at);
        } else if chunk.len() <= CHUNK / 2 {
            self.join(at);
            self.join(at.saturating_sub(1));
        }
        true
    }

    /// Makes one chunk of two neighbours that are small.
    fn join(&mut self, at: usize) {
        let next = at.saturating_add(1);
        let sizes = self.chunks.get(at).map(Vec::len).zip(self.chunks.get(next).map(Vec::len));
        if sizes.is_some_and(|(one, other)| one.saturating_add(other) <= CHUNK / 4 * 3) {
            let rest = self.chunks.remove(next);
            if let Some(chunk) = self.chunks.get_mut(at) {
                chunk.extend(rest);
            }
        }
    }

    /// Keeps the values that pass.
    pub(super) fn retain(&mut self, passes: impl Fn(T) -> bool) {
        for chunk in &mut self.chunks {
            chunk.retain(|value| passes(*value));
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
        self.len = self.chunks.iter().map(Vec::len).sum();
    }

    /// The first value that is not before.
    pub(super) fn get(&self, before: impl Fn(T) -> bool) -> Option<T> {
        let At(at, place) = self.find(before);
        self.chunks.get(at)?.get(place).copied()
    }

    /// All from a place on.
    pub(super) fn from(&self, At(at, place): At) -> impl Iterator<Item = T> {
        let head = self.chunks.get(at).and_then(|chunk| chunk.get(place..)).unwrap_or_default();
        let rest = self.chunks.get(at.saturating_add(1)..).unwrap_or_default();
        head.iter().chain(rest.iter().flatten()).copied()
    }

    /// All before a place, the last first.
    pub(super) fn back_from(&self, At(at, place): At) -> impl Iterator<Item = T> {
        let head = self.chunks.get(at).and_then(|chunk| chunk.get(..place)).unwrap_or_default();
        let rest = self.chunks.get(..at).unwrap_or_default();
        head.iter().rev().chain(rest.iter().rev().flat_map(|chunk| chunk.iter().rev())).copied()
    }
}
