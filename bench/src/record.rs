//! The record that the hand-written contenders keep, and the machine's arrows.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// The four states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// Made, claimed by nobody.
    NotStarted = 0,
    /// Claimed.
    Running = 1,
    /// Ended well.
    Completed = 2,
    /// Ended badly.
    Failed = 3,
}

impl Status {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::NotStarted, Self::Running, Self::Completed, Self::Failed];

    /// The status that a stored number means.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The only status from which this one is reached in these works.
    #[must_use]
    pub fn before(self) -> Self {
        match self {
            Self::NotStarted | Self::Running => Self::NotStarted,
            Self::Completed | Self::Failed => Self::Running,
        }
    }
}

/// What an operation is named by.
pub type Id = [u8; 16];

/// A fresh name, ascending with time.
#[must_use]
pub fn fresh_id() -> Id {
    Uuid::now_v7().into_bytes()
}

/// How many bytes an encoded record has.
pub const ENCODED: usize = 48;

const KIND: &[u8; 6] = b"export";

/// One operation as the hand-written contenders keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Where the machine stands.
    pub status: Status,
    /// How far the work is.
    pub percent: u8,
    /// Rises by one with every write.
    pub version: u64,
    /// Microseconds since 1970.
    pub created: i64,
    /// Microseconds since 1970.
    pub changed: i64,
}

impl Record {
    /// A new operation.
    #[must_use]
    pub fn new() -> Self {
        let now = now();
        Self { status: Status::NotStarted, percent: 0, version: 1, created: now, changed: now }
    }

    /// The record after the move, or `None` if the machine has no such arrow.
    #[must_use]
    pub fn moved(&self, to: Status) -> Option<Self> {
        let legal = to != Status::NotStarted && self.status == to.before();
        legal.then(|| Self { status: to, version: self.version + 1, changed: now(), ..*self })
    }

    /// The record after a report, or `None` if it is not running or would go back.
    #[must_use]
    pub fn progressed(&self, percent: u8) -> Option<Self> {
        let legal = self.status == Status::Running && percent >= self.percent;
        legal.then(|| Self { percent, version: self.version + 1, changed: now(), ..*self })
    }

    /// The stored form; the name comes first.
    #[must_use]
    pub fn encode(&self, id: &Id) -> [u8; ENCODED] {
        let mut bytes = [0; ENCODED];
        bytes[..16].copy_from_slice(id);
        bytes[16] = self.status as u8;
        bytes[17] = self.percent;
        bytes[18..26].copy_from_slice(&self.version.to_le_bytes());
        bytes[26..34].copy_from_slice(&self.created.to_le_bytes());
        bytes[34..42].copy_from_slice(&self.changed.to_le_bytes());
        bytes[42..].copy_from_slice(KIND);
        bytes
    }

    /// Reads what [`encode`](Record::encode) wrote.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Id, Self)> {
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let ([status, percent], rest) = rest.split_first_chunk::<2>()?;
        let (version, rest) = rest.split_first_chunk::<8>()?;
        let (created, rest) = rest.split_first_chunk::<8>()?;
        let (changed, kind) = rest.split_first_chunk::<8>()?;
        let record = Self {
            status: Status::from_number(*status)?,
            percent: *percent,
            version: u64::from_le_bytes(*version),
            created: i64::from_le_bytes(*created),
            changed: i64::from_le_bytes(*changed),
        };
        (kind == KIND).then_some((*id, record))
    }
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}

/// Microseconds since 1970.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_encoding() {
        let id = fresh_id();
        let record = Record::new().moved(Status::Running).unwrap().progressed(40).unwrap();
        assert_eq!(Record::decode(&record.encode(&id)), Some((id, record)));
    }

    #[test]
    fn the_machine_has_three_arrows() {
        let arrows: Vec<_> = Status::ALL
            .into_iter()
            .flat_map(|from| Status::ALL.map(|to| (from, to)))
            .filter(|(from, to)| Record { status: *from, ..Record::new() }.moved(*to).is_some())
            .collect();
        assert_eq!(
            arrows,
            [
                (Status::NotStarted, Status::Running),
                (Status::Running, Status::Completed),
                (Status::Running, Status::Failed)
            ]
        );
    }
}
