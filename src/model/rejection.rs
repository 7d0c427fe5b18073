//! Why a patch was refused, in the protocol's own codes (PROTOCOL b-15).

use std::fmt;

use super::precondition::Unmet;
use super::state::Status;
use super::text::Unfit;

/// Why a patch was refused; nothing of it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// A member breaks a rule whatever the state.
    Invalid(Unfit),
    /// A condition does not hold.
    Precondition(Unmet),
    /// The operation has ended and the patch would change it.
    Terminal {
        /// How it ended.
        current: Status,
    },
    /// The machine has no such arrow.
    Transition {
        /// Where it is.
        current: Status,
        /// Where the patch would take it.
        wanted: Status,
    },
    /// Somebody else holds the claim.
    Held {
        /// Who, if it was claimed at all.
        holder: Option<String>,
    },
    /// `lastActionDateTime` lies before what is stored by more than the skew.
    TimeRegressed,
    /// `lastActionDateTime` lies after now by more than the skew.
    TimeInFuture,
    /// `error` goes with the move to Failed only.
    ErrorNotSettable,
    /// `result` goes with the move to Completed only, `resourceLocation` not with Failed.
    ResultNotSettable {
        /// Which of the two.
        field: &'static str,
    },
    /// A lower percentage than the one stored.
    ProgressRegressed,
    /// Less done than what is stored, in the same unit.
    AmountRegressed,
    /// A percentage before the start.
    ProgressNotSettable,
    /// A new operation cannot begin at its end.
    InitialStatus,
    /// It should have ended before this.
    DeadlinePassed,
    /// Only an operation that has ended can be deleted or tried again.
    Active {
        /// Where it is.
        current: Status,
    },
}

impl Rejection {
    /// The code of `innerError`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalidPropertyValue",
            Self::Precondition(Unmet::DoesNotMatch) => "entityTagDoesNotMatch",
            Self::Precondition(Unmet::Matches) => "entityTagMatches",
            Self::Terminal { .. } => "operationTerminal",
            Self::Transition { .. } | Self::Held { .. } => "invalidStatusTransition",
            Self::TimeRegressed => "lastActionDateTimeRegressed",
            Self::TimeInFuture => "dateTimeInFuture",
            Self::ErrorNotSettable => "errorNotSettable",
            Self::ResultNotSettable { .. } => "resultNotSettable",
            Self::ProgressRegressed | Self::AmountRegressed => "progressRegressed",
            Self::ProgressNotSettable => "progressNotSettable",
            Self::InitialStatus => "invalidInitialStatus",
            Self::DeadlinePassed => "deadlineExceeded",
            Self::Active { .. } => "operationActive",
        }
    }

    /// The member that the refusal is about.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Invalid(unfit) => Some(&unfit.field),
            Self::Precondition(_) => None,
            Self::Terminal { .. }
            | Self::Transition { .. }
            | Self::Held { .. }
            | Self::InitialStatus
            | Self::DeadlinePassed
            | Self::Active { .. } => Some("status"),
            Self::TimeRegressed | Self::TimeInFuture => Some("lastActionDateTime"),
            Self::ErrorNotSettable => Some("error"),
            Self::ResultNotSettable { field } => Some(field),
            Self::AmountRegressed => Some("progress"),
            Self::ProgressRegressed | Self::ProgressNotSettable => Some("percentageComplete"),
        }
    }
}

impl From<Unfit> for Rejection {
    fn from(unfit: Unfit) -> Self {
        Self::Invalid(unfit)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(unfit) => unfit.fmt(f),
            Self::Precondition(Unmet::DoesNotMatch) => f.write_str("the entity tag does not match the current one"),
            Self::Precondition(Unmet::Matches) => f.write_str("the entity tag matches the current one"),
            Self::Terminal { current } => write!(f, "the operation is {current} and stays so"),
            Self::Transition { current, wanted } => {
                write!(f, "`status` cannot go from {current} to {wanted}; allowed: ")?;
                match current.allowed() {
                    [] => f.write_str("none"),
                    [one] => write!(f, "{one}"),
                    more => more
                        .iter()
                        .enumerate()
                        .try_for_each(|(at, status)| write!(f, "{}{status}", if at == 0 { "" } else { ", " })),
                }
            }
            Self::Held { holder: Some(holder) } => write!(f, "the operation is held by {holder:?}"),
            Self::Held { holder: None } => f.write_str("the operation is Running and nobody claimed it"),
            Self::TimeRegressed => f.write_str("`lastActionDateTime` lies too far before the stored one"),
            Self::TimeInFuture => f.write_str("`lastActionDateTime` lies too far after the server's time"),
            Self::ErrorNotSettable => f.write_str("`error` can be set with the move to Failed only"),
            Self::ResultNotSettable { field: "result" } => {
                f.write_str("`result` can be set with the move to Completed only")
            }
            Self::ResultNotSettable { field } => write!(f, "`{field}` cannot be set on a failed operation"),
            Self::ProgressRegressed => f.write_str("`percentageComplete` must not go back"),
            Self::AmountRegressed => f.write_str("`progress` must not go back in the same unit"),
            Self::ProgressNotSettable => f.write_str("progress can be told while Running only"),
            Self::InitialStatus => f.write_str("`status` of a new operation must be NotStarted or Running"),
            Self::DeadlinePassed => f.write_str("the deadline has passed; the operation cannot be started"),
            Self::Active { current } => {
                write!(f, "the operation is {current}; only one that has ended can be deleted or tried again")
            }
        }
    }
}

impl std::error::Error for Rejection {}
