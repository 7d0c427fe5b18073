//! Clients that ask a simulated operation in a random order of steps, and the history they record.

use linear::operation::{Answer, Ask, Patch, Recording, Seen, Status, Text, Verb};

use crate::simulator::Simulator;
use crate::tape::Tape;

/// How the simulated operation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not at all.
    None,
    /// One write that was acknowledged is forgotten.
    ForgottenWrite,
    /// Each change is read and written in two steps, and the second does not look again.
    BlindWrite,
}

enum Client {
    Idle,
    Asked { call: linear::operation::lines::Number, verb: Verb },
    Read { call: linear::operation::lines::Number, verb: Verb, copy: Simulator },
    Answered { call: linear::operation::lines::Number, answer: Answer },
}

/// Plays `calls` calls of three clients.
pub(crate) fn play(tape: &mut Tape<'_>, calls: usize, fault: Fault) -> Recording {
    let mut operation = Simulator::default();
    let mut recording = Recording::new("");
    let mut clients = [Client::Idle, Client::Idle, Client::Idle];
    let mut last_seen: Option<Seen> = None;
    let (mut now, mut asked) = (0, 0);
    let mut may_forget = fault == Fault::ForgottenWrite;
    loop {
        now += 1;
        let ready: Vec<usize> = (0..clients.len())
            .filter(|&client| asked < calls || !matches!(clients[client], Client::Idle))
            .collect();
        if ready.is_empty() {
            return recording;
        }
        let client = &mut clients[*tape.of(&ready)];
        *client = match std::mem::replace(client, Client::Idle) {
            Client::Idle => {
                asked += 1;
                let verb = verb(tape, last_seen.as_ref());
                Client::Asked { call: recording.call(now, "a".into(), verb.clone()), verb }
            }
            // Some never get there, some get there and are never told.
            Client::Asked { .. } | Client::Answered { .. } if tape.one_in(14) => Client::Idle,
            Client::Asked { call, verb } if fault == Fault::BlindWrite => {
                Client::Read { call, verb, copy: operation.clone() }
            }
            Client::Asked { call, verb } => {
                let before = operation.slot.clone();
                let answer = operation.ask(&verb);
                if may_forget && operation.slot != before && tape.one_in(3) {
                    operation.slot = before;
                    may_forget = false;
                }
                Client::Answered { call, answer }
            }
            Client::Read { call, verb, mut copy } => {
                let before = copy.slot.clone();
                let answer = copy.ask(&verb);
                let mut changed = copy.slot != before;
                let answer = match (answer, copy.slot.as_mut()) {
                    (Answer::Done(_), Some(stored)) if changed => {
                        stored.version = operation.draw();
                        Answer::Done(stored.seen())
                    }
                    (answer, _) => {
                        changed &= answer == Answer::Deleted;
                        answer
                    }
                };
                if changed {
                    operation.slot = copy.slot;
                }
                Client::Answered { call, answer }
            }
            Client::Answered { call, answer } => {
                if let Answer::Done(seen) | Answer::Conflict(Some(seen)) | Answer::Refused(Some(seen)) = &answer {
                    last_seen = Some(seen.clone());
                }
                recording.answer(call, now, answer);
                Client::Idle
            }
        };
    }
}

fn verb(tape: &mut Tape<'_>, seen: Option<&Seen>) -> Verb {
    let Some(seen) = seen else { return Verb::Create { identity: None, running: tape.one_in(4) } };
    let if_match = tape.one_in(2).then(|| seen.version.clone());
    let holder: Text = if tape.one_in(2) { "w1" } else { "w2" }.into();
    let held = tape.one_in(3).then(|| holder.clone());
    match tape.below(14) {
        0 | 1 => Verb::Get,
        2 | 3 => Verb::Start { holder, if_match },
        4 => Verb::Complete { result: tape.one_in(2).then(|| "r".into()), holder: held },
        5 => Verb::Fail { code: if tape.one_in(2) { "boom" } else { "cancelled" }.into(), holder: held },
        6 => Verb::Cancel { if_match },
        7 | 8 => Verb::Delete { if_match },
        9 => Verb::Create { identity: tape.one_in(3).then(|| "other".into()), running: false },
        10 => Verb::Patch(Patch { heartbeat: true, if_match, ..Patch::default() }),
        11 => Verb::Patch(Patch { progress: Some(*tape.of(&[10, 20, 30])), if_match, ..Patch::default() }),
        _ => {
            let all = [Status::NotStarted, Status::Running, Status::Completed, Status::Failed];
            Verb::Patch(Patch { status: Some(*tape.of(&all)), if_match, ..Patch::default() })
        }
    }
}

/// The verbs of a recording that have an answer, with their places.
pub(crate) fn answered(recording: &Recording) -> Vec<usize> {
    let calls = recording.calls().iter().enumerate();
    calls.filter(|(_, call)| call.output().is_some() && call.input != Ask::Crash).map(|(index, _)| index).collect()
}
