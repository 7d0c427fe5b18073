//! What a writer does with one operation: known to who writes and to who judges, from the seed alone.

use fastrand::Rng;
use longrun::{Operation, Status};

/// One change of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Start,
    Progress(u8),
    /// Of an operation that runs: recorded, and it goes on.
    RequestCancel,
    /// Of one that was not started: it ends.
    Cancel,
    /// With a result of about this length.
    Complete(usize),
    Fail,
    Delete,
}

impl Step {
    /// Whether a crash may take it back although it was acknowledged.
    pub(crate) fn is_eventual(self) -> bool {
        matches!(self, Self::Progress(_))
    }
}

/// What the lives are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// All there is.
    All,
    /// Most stay Running.
    Running,
    /// All there is, with long results: a disk is filled.
    Wide,
    /// All complete, with long results: a store's log is filled and begun again.
    Long,
}

/// Which operation: its name is all that a writer and a judge share beside the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) seed: u64,
    pub(crate) writer: u32,
    pub(crate) number: u32,
}

impl Mix {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Running => "running",
            Self::Wide => "wide",
            Self::Long => "long",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::All, Self::Running, Self::Wide, Self::Long].into_iter().find(|mix| mix.word() == word)
    }
}

impl Name {
    pub(crate) fn text(self) -> String {
        format!("{:x}-{}-{}", self.seed, self.writer, self.number)
    }

    /// The life of this operation.
    pub(crate) fn plan(self, mix: Mix) -> Vec<Step> {
        let mut rng = Rng::with_seed(self.seed ^ (u64::from(self.writer) << 32) ^ u64::from(self.number));
        // Neighbouring seeds begin alike.
        rng.u64(..);
        let mut steps = vec![Step::Create];
        if mix == Mix::Long {
            steps.extend([Step::Start, Step::Complete(rng.usize(50_000..60_000))]);
            return steps;
        }
        if matches!(mix, Mix::All | Mix::Wide) && rng.u8(..10) == 0 {
            steps.push(Step::Cancel);
        } else {
            steps.push(Step::Start);
            let mut percent = 0;
            for _ in 0..rng.u8(..4) {
                percent += rng.u8(1..30);
                steps.push(Step::Progress(percent));
            }
            if rng.u8(..8) == 0 {
                steps.push(Step::RequestCancel);
            }
            match rng.u8(..20) {
                0..=3 => return steps,
                _ if mix == Mix::Running => return steps,
                4..=11 if mix == Mix::Wide => steps.push(Step::Complete(rng.usize(40_000..60_000))),
                4..=11 => steps.push(Step::Complete(rng.usize(..300))),
                12 => steps.push(Step::Complete(rng.usize(..60_000))),
                _ => steps.push(Step::Fail),
            }
        }
        if rng.u8(..4) == 0 {
            steps.push(Step::Delete);
            if rng.bool() {
                steps.extend([Step::Create, Step::Start]);
            }
        }
        steps
    }

    pub(crate) fn result(self, length: usize) -> String {
        format!("{} {}", self.text(), "x".repeat(length))
    }
}

/// What can be seen of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: Status,
    pub(crate) progress: Option<u8>,
    pub(crate) result: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) asked_to_end: bool,
}

impl Seen {
    pub(crate) fn of(operation: &Operation) -> Self {
        let completed = operation.status() == Status::Completed;
        Self {
            status: operation.status(),
            progress: operation.progress().map(longrun::model::Progress::percent).filter(|_| !completed),
            result: operation.result_json().map(|json| json.as_str().trim_matches('"').to_owned()),
            code: operation.failure().map(|failure| failure.code().to_owned()),
            asked_to_end: operation.cancellation_requested().is_some(),
        }
    }

    /// This, if it was running when its process ended and a later one found it.
    pub(crate) fn ended_as(self, code: &str) -> Self {
        Self { status: Status::Failed, code: Some(code.to_owned()), ..self }
    }
}

/// What is there after these steps.
pub(crate) fn after(name: Name, steps: &[Step]) -> Option<Seen> {
    let fresh = Seen { status: Status::NotStarted, progress: None, result: None, code: None, asked_to_end: false };
    steps.iter().fold(None, |seen, step| match (step, seen) {
        (Step::Delete, _) => None,
        (Step::Create, _) | (_, None) => Some(fresh.clone()),
        (Step::Start, Some(seen)) => Some(Seen { status: Status::Running, ..seen }),
        (Step::Progress(percent), Some(seen)) => Some(Seen { progress: Some(*percent), ..seen }),
        (Step::RequestCancel, Some(seen)) => Some(Seen { asked_to_end: true, ..seen }),
        (Step::Cancel, Some(seen)) => Some(seen.ended_as("cancelled")),
        (Step::Complete(length), Some(seen)) => {
            Some(Seen { status: Status::Completed, progress: None, result: Some(name.result(*length)), ..seen })
        }
        (Step::Fail, Some(seen)) => Some(seen.ended_as("planned")),
    })
}
