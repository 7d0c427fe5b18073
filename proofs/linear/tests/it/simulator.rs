//! An operation that is truly atomic, written apart from the machine that judges it: version numbers,
//! one slot, one change at a time.

use Status::{Completed, Failed, NotStarted, Running};
use linear::operation::{Answer, Detail, Patch, Seen, Status, Verb};

/// The one operation of the simulation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Simulator {
    pub(crate) slot: Option<Stored>,
    drawn: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) version: u32,
    pub(crate) status: Status,
    pub(crate) rest: Detail,
    pub(crate) identity: Option<String>,
}

pub(crate) fn version(number: u32) -> linear::operation::Text {
    format!("v{number}").into()
}

impl Stored {
    pub(crate) fn seen(&self) -> Seen {
        Seen { version: version(self.version), status: self.status, rest: Some(self.rest.clone()) }
    }
}

impl Simulator {
    /// Asks at one instant.
    pub(crate) fn ask(&mut self, verb: &Verb) -> Answer {
        match self.decide(verb) {
            Ok(next) => {
                self.slot = next;
                self.slot.as_ref().map_or(Answer::Deleted, |stored| Answer::Done(stored.seen()))
            }
            Err(answer) => answer,
        }
    }

    pub(crate) fn draw(&mut self) -> u32 {
        self.drawn += 1;
        self.drawn
    }

    /// What is stored afterwards, or why nothing changes.
    fn decide(&mut self, verb: &Verb) -> Result<Option<Stored>, Answer> {
        let Some(mut stored) = self.slot.clone() else {
            let Verb::Create { identity, running } = verb else { return Err(Answer::NotFound) };
            let status = if *running { Running } else { NotStarted };
            let identity = identity.as_ref().map(ToString::to_string);
            let version = self.draw();
            return Ok(Some(Stored { version, status, rest: Detail::default(), identity }));
        };
        let before = stored.clone();
        let shown = Some(before.seen());
        let stale = |wanted: &Option<linear::operation::Text>| {
            wanted.as_deref().is_some_and(|wanted| wanted != "*" && wanted != &*version(before.version))
        };
        let ended = stored.status == Completed || stored.status == Failed;
        match verb {
            Verb::Get => {}
            Verb::Create { identity, .. } => {
                if identity.as_ref().map(ToString::to_string) != stored.identity {
                    return Err(Answer::Refused(shown));
                }
            }
            Verb::Delete { if_match } => {
                if stale(if_match) {
                    return Err(Answer::Conflict(shown));
                }
                return if ended { Ok(None) } else { Err(Answer::Refused(shown)) };
            }
            Verb::Start { if_match, .. } | Verb::Cancel { if_match } if stale(if_match) => {
                return Err(Answer::Conflict(shown));
            }
            Verb::Start { holder, .. } => match stored.status {
                NotStarted => {
                    stored.status = Running;
                    stored.rest.holder = Some(holder.clone());
                }
                Running if stored.rest.holder.as_ref() == Some(holder) => {}
                Running => return Err(Answer::Refused(shown)),
                Completed | Failed => return Err(Answer::Terminal(shown)),
            },
            Verb::Cancel { .. } => match stored.status {
                NotStarted => {
                    stored.status = Failed;
                    stored.rest.outcome = Some("cancelled".into());
                }
                Running => stored.rest.cancelling = true,
                Failed if stored.rest.outcome.as_deref() == Some("cancelled") => {}
                Completed | Failed => return Err(Answer::Terminal(shown)),
            },
            Verb::Complete { holder, .. } | Verb::Fail { holder, .. }
                if holder.is_some() && *holder != stored.rest.holder =>
            {
                return Err(Answer::Lost(shown));
            }
            Verb::Complete { result, .. } => end(&mut stored, Completed, result.as_deref())?,
            Verb::Fail { code, .. } => end(&mut stored, Failed, Some(code))?,
            Verb::Patch(Patch { if_match, .. }) if stale(if_match) => return Err(Answer::Conflict(shown)),
            Verb::Patch(patch) => {
                patched(&mut stored, patch)?;
                if patch.heartbeat {
                    stored.version = self.draw();
                    return Ok(Some(stored));
                }
            }
        }
        if stored != before {
            stored.version = self.draw();
        }
        Ok(Some(stored))
    }
}

fn end(stored: &mut Stored, status: Status, outcome: Option<&str>) -> Result<(), Answer> {
    let shown = Some(stored.seen());
    match stored.status {
        NotStarted => Err(Answer::Refused(shown)),
        Running => {
            stored.status = status;
            stored.rest.outcome = outcome.map(Into::into);
            if status == Completed {
                stored.rest.progress = Some(100);
            }
            Ok(())
        }
        same if same == status && (outcome.is_none() || stored.rest.outcome.as_deref() == outcome) => Ok(()),
        Completed | Failed => Err(Answer::Terminal(shown)),
    }
}

/// The patches that the programs send: a status or a progress or a sign of life.
fn patched(stored: &mut Stored, patch: &Patch) -> Result<(), Answer> {
    let shown = Some(stored.seen());
    match patch.status {
        Some(status @ (Completed | Failed)) => return end(stored, status, patch.outcome.as_deref()),
        Some(status) => match (stored.status, status) {
            (NotStarted, Running) => stored.status = Running,
            (from, to) if from == to => {}
            (Running, _) => return Err(Answer::Refused(shown)),
            _ => return Err(Answer::Terminal(shown)),
        },
        None => {}
    }
    let ended = stored.status == Completed || stored.status == Failed;
    if patch.heartbeat && ended {
        return Err(Answer::Terminal(shown));
    }
    if let (Some(progress), false) = (patch.progress, ended) {
        if stored.status == NotStarted || stored.rest.progress.is_some_and(|now| now > progress) {
            return Err(Answer::Refused(shown));
        }
        stored.rest.progress = Some(progress);
    }
    Ok(())
}
