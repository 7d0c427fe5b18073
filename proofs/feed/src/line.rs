//! One line of a history, as text.

use std::fmt;
use std::str::FromStr;

/// An operation as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a line holds this and no more")]
pub struct Seen {
    /// Whose.
    pub id: String,
    /// The life of the id.
    pub birth: u64,
    /// The write of this life.
    pub n: u64,
    /// Who wrote it.
    pub instance: u32,
    /// `NotStarted` 0, `Running` 1, ended 2, deleted 3.
    pub rank: u8,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the judge must treat each of them")]
pub enum Line {
    /// A process opened the store as this instance.
    Open(u32),
    /// The open ended this one as an orphan.
    Orphan(String),
    /// A write of this operation begins.
    Want(String),
    /// It was refused, and nothing was written.
    No(String),
    /// It was acknowledged; `true` if it survives a kill.
    Did(Seen, bool),
    /// A reader asks for what is new.
    Ask,
    /// It was answered this.
    Sees(Seen),
    /// The answer is whole: the position, and whether it is the feed's end.
    At(String, bool),
    /// The process was killed.
    Kill,
    /// At last the record is so.
    Is(Seen),
    /// At last there is no record.
    IsNot(String),
    /// A reader that began anew at last was answered this.
    Anew(Seen),
    /// The history is whole.
    Done,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:x} {} {} {}", self.id, self.birth, self.n, self.instance, self.rank)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(instance) => write!(f, "open {instance}"),
            Self::Orphan(id) => write!(f, "orphan {id}"),
            Self::Want(id) => write!(f, "want {id}"),
            Self::No(id) => write!(f, "no {id}"),
            Self::Did(seen, true) => write!(f, "did {seen}"),
            Self::Did(seen, false) => write!(f, "told {seen}"),
            Self::Ask => f.write_str("ask"),
            Self::Sees(seen) => write!(f, "sees {seen}"),
            Self::At(position, true) => write!(f, "end {position}"),
            Self::At(position, false) => write!(f, "at {position}"),
            Self::Kill => f.write_str("kill"),
            Self::Is(seen) => write!(f, "is {seen}"),
            Self::IsNot(id) => write!(f, "isnot {id}"),
            Self::Anew(seen) => write!(f, "anew {seen}"),
            Self::Done => f.write_str("done"),
        }
    }
}

/// A text that is no line of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoLine(String);

impl fmt::Display for NoLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no line of a history: {:?}", self.0)
    }
}

impl std::error::Error for NoLine {}

impl FromStr for Line {
    type Err = NoLine;

    fn from_str(text: &str) -> Result<Self, NoLine> {
        let mut words = text.split(' ');
        let line = parse(&mut words).filter(|_| words.next().is_none());
        line.ok_or_else(|| NoLine(text.into()))
    }
}

fn parse<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Line> {
    let word = words.next()?;
    let mut text = || words.next().map(str::to_owned);
    Some(match word {
        "open" => Line::Open(text()?.parse().ok()?),
        "orphan" => Line::Orphan(text()?),
        "want" => Line::Want(text()?),
        "no" => Line::No(text()?),
        "did" => Line::Did(seen(words)?, true),
        "told" => Line::Did(seen(words)?, false),
        "ask" => Line::Ask,
        "sees" => Line::Sees(seen(words)?),
        "end" => Line::At(text()?, true),
        "at" => Line::At(text()?, false),
        "kill" => Line::Kill,
        "is" => Line::Is(seen(words)?),
        "isnot" => Line::IsNot(text()?),
        "anew" => Line::Anew(seen(words)?),
        "done" => Line::Done,
        _ => return None,
    })
}

fn seen<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Seen> {
    Some(Seen {
        id: words.next()?.into(),
        birth: u64::from_str_radix(words.next()?, 16).ok()?,
        n: words.next()?.parse().ok()?,
        instance: words.next()?.parse().ok()?,
        rank: words.next()?.parse().ok()?,
    })
}
