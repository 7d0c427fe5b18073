use crate::model::{Chance, Model};

const SECTOR: usize = 512;

/// One file's bytes: as the process sees them, as the disk holds them, and what lies between.
#[derive(Debug, Default)]
pub(crate) struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// By ascending `seq`. A change never overlaps a younger one that is already durable, so that whichever of
    /// these survive, they cannot undo what was promised.
    loose: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    seq: u64,
    kind: Kind,
    /// An `fsync` failed on it: the kernel takes it for clean and never writes it again.
    stranded: bool,
}

#[derive(Debug)]
enum Kind {
    Write { offset: usize, data: Vec<u8> },
    SetLength(usize),
}

impl Content {
    pub(crate) fn durable(bytes: Vec<u8>) -> Self {
        Self { live: bytes.clone(), durable: bytes, loose: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn live(&self) -> &[u8] {
        &self.live
    }

    pub(crate) fn loose(&self) -> usize {
        self.loose.len()
    }

    pub(crate) fn read(&self, offset: usize, size: usize) -> Vec<u8> {
        let end = offset.saturating_add(size).min(self.live.len());
        self.live.get(offset..end).unwrap_or_default().to_vec()
    }

    pub(crate) fn write(&mut self, seq: u64, offset: usize, data: &[u8]) {
        put(&mut self.live, offset, data);
        let kind = Kind::Write { offset, data: data.to_vec() };
        self.loose.push(Change { seq, kind, stranded: false });
    }

    pub(crate) fn set_length(&mut self, seq: u64, length: usize) {
        self.live.resize(length, 0);
        self.loose.push(Change { seq, kind: Kind::SetLength(length), stranded: false });
    }

    /// `fsync`: all that came up to `upto` is durable.
    pub(crate) fn settle_all(&mut self, upto: u64) {
        self.settle(|change| change.seq <= upto && !change.stranded, upto);
    }

    /// A synchronous write: it is durable, and so are the lengths set before it, without which it has no place.
    pub(crate) fn settle_one(&mut self, seq: u64) {
        self.settle(|change| change.seq == seq, seq);
    }

    /// An `fsync` up to here has failed.
    pub(crate) fn strand(&mut self, from: u64, upto: u64) {
        for change in &mut self.loose {
            change.stranded |= (from..=upto).contains(&change.seq);
        }
    }

    /// What is found after a cut.
    pub(crate) fn survive(&self, model: Model, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        if model.keeps_data() {
            for change in &self.loose {
                if chance.keeps() {
                    match &change.kind {
                        Kind::Write { offset, data } if model.tears() => {
                            tear(&mut bytes, *offset, data, chance);
                        }
                        kind => kind.apply(&mut bytes),
                    }
                }
            }
        }
        bytes
    }

    fn settle(&mut self, chosen: impl Fn(&Change) -> bool, upto: u64) {
        let mut left: Vec<Change> = Vec::new();
        for change in std::mem::take(&mut self.loose) {
            let length = change.seq <= upto && matches!(change.kind, Kind::SetLength(_));
            if length || chosen(&change) {
                change.kind.apply(&mut self.durable);
                left = left.into_iter().flat_map(|older| older.without(&change.kind)).collect();
            } else {
                left.push(change);
            }
        }
        self.loose = left;
    }
}

impl Change {
    /// The parts of this change that a younger one has not replaced.
    fn without(self, younger: &Kind) -> Vec<Self> {
        let Self { seq, kind, stranded } = self;
        let Kind::Write { offset, data } = kind else {
            return vec![Self { seq, kind, stranded }];
        };
        let (from, to) = match younger {
            Kind::Write { offset, data } => (*offset, offset + data.len()),
            Kind::SetLength(length) => (*length, usize::MAX),
        };
        let head = from.saturating_sub(offset).min(data.len());
        let tail = to.saturating_sub(offset).min(data.len()).max(head);
        let part = |offset, bytes: Option<&[u8]>| {
            let data = bytes.unwrap_or_default().to_vec();
            (!data.is_empty()).then_some(Self { seq, kind: Kind::Write { offset, data }, stranded })
        };
        [part(offset, data.get(..head)), part(offset + tail, data.get(tail..))].into_iter().flatten().collect()
    }
}

impl Kind {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => put(bytes, *offset, data),
            Self::SetLength(length) => bytes.resize(*length, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(offset..end) {
        place.copy_from_slice(data);
    }
}

/// Keeps any of the write's sectors. The length is metadata of its own: it may have grown over sectors that are lost.
fn tear(bytes: &mut Vec<u8>, offset: usize, data: &[u8], chance: &mut Chance) {
    let mut at = offset;
    let mut rest = data;
    while !rest.is_empty() {
        let (sector, after) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
        if chance.coin() {
            put(bytes, at, sector);
        }
        at += sector.len();
        rest = after;
    }
    if bytes.len() < at && chance.coin() {
        bytes.resize(at, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(content: &Content, model: Model) -> Vec<Vec<u8>> {
        (0..64).map(|seed| content.survive(model, &mut Chance::new(seed))).collect()
    }

    #[test]
    fn an_older_loose_write_never_undoes_a_younger_durable_one() {
        let mut content = Content::durable(b"........".to_vec());
        content.write(1, 0, b"aaaaaaaa");
        content.write(2, 2, b"BB");
        content.settle_one(2);
        for bytes in draws(&content, Model::Keep) {
            assert_eq!(bytes.get(2..4), Some(b"BB".as_slice()));
        }
        assert!(draws(&content, Model::Keep).contains(&b"..BBaaaa".to_vec()), "both parts survive on their own");
        content.settle_all(1);
        assert_eq!(content.durable, b"aaBBaaaa");
        assert_eq!(content.loose(), 0);
    }

    #[test]
    fn a_durable_truncation_takes_older_loose_bytes_with_it() {
        let mut content = Content::durable(b"........".to_vec());
        content.write(1, 0, b"aaaaaaaa");
        content.set_length(2, 4);
        content.write(3, 4, b"C");
        content.settle_one(3);
        for bytes in draws(&content, Model::Keep) {
            assert_eq!(bytes.len(), 5);
            assert_eq!(bytes.get(4), Some(&b'C'));
        }
    }

    #[test]
    fn a_failed_fsync_leaves_its_bytes_loose_for_good() {
        let mut content = Content::default();
        content.write(1, 0, b"a");
        content.strand(0, 1);
        content.write(2, 1, b"b");
        content.settle_all(2);
        assert_eq!(content.survive(Model::Drop, &mut Chance::new(0)), b"\0b");
        assert_eq!(content.loose(), 1);
    }

    #[test]
    fn tears_lie_on_sectors_of_the_file() {
        let mut content = Content::durable(vec![0; 2048]);
        content.write(1, 100, &[1; 1500]);
        let mut torn = 0;
        for bytes in draws(&content, Model::Torn) {
            let edges: Vec<usize> = (1..bytes.len()).filter(|&at| bytes.get(at - 1) != bytes.get(at)).collect();
            assert!(edges.iter().all(|at| at % SECTOR == 0 || [100, 1600].contains(at)), "{edges:?}");
            torn += usize::from(edges.iter().any(|at| at % SECTOR == 0));
        }
        assert!(torn > 0);
    }
}
