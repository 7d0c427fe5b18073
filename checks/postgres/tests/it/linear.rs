//! P4: recorded histories of racing clients have an order that explains every answer.
//!
//! Eight clients of two stores on one database, four operations, connections ended while they write. The
//! judge shares no code with what it judges.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use linear::Verdict;
use linear::operation::{
    Answer, Detail, Patch as Wanted, Recording, Seen, Status as Said, Text, Verb, Worth, judge,
};
use longrun::model::{Json, Progress};
use longrun::store::PostgresStore;
use longrun::{Error, ErrorKind, Failure, NewOperation, Operation, OperationId, Patch, Status, Tracker};
use longrun_checks_postgres::{Server, pool_options};
use sqlx::postgres::PgConnectOptions;

const HISTORIES: u64 = 200;
const CLIENTS: u64 = 8;
const CALLS: u64 = 12;
const OPERATIONS: u64 = 4;
/// Steps of the search for each operation.
const BOUND: u64 = 4_000_000;

fn seen(operation: &Operation) -> Seen {
    let result = operation.result_json().and_then(|json| json.to::<String>().ok());
    Seen {
        version: operation.etag().to_string().into(),
        status: match operation.status() {
            Status::NotStarted => Said::NotStarted,
            Status::Running => Said::Running,
            Status::Completed => Said::Completed,
            Status::Failed => Said::Failed,
        },
        rest: Some(Detail {
            progress: operation.progress().map(Progress::percent),
            detail: operation.detail().map(Text::from),
            holder: operation.holder().map(Text::from),
            outcome: operation.failure().map(|failure| failure.code().into()).or_else(|| result.map(Text::from)),
            cancelling: operation.cancellation_requested().is_some(),
        }),
    }
}

fn refusal(verb: &Verb, error: &Error) -> Answer {
    let current = error.current().map(seen);
    match error.kind() {
        ErrorKind::NotFound => Answer::NotFound,
        ErrorKind::PreconditionFailed => Answer::Conflict(current),
        ErrorKind::Terminal => Answer::Terminal(current),
        ErrorKind::IllegalTransition | ErrorKind::Conflict | ErrorKind::AlreadyExists => {
            let theirs = current.as_ref().and_then(|seen| seen.rest.as_ref()?.holder.as_ref());
            if verb.holder().is_some_and(|holder| theirs != Some(holder)) {
                return Answer::Lost(current);
            }
            Answer::Refused(current)
        }
        ErrorKind::Unavailable if !error.is_definite() => Answer::Unknown,
        ErrorKind::Unavailable | ErrorKind::Contended => Answer::NotApplied,
        other => panic!("{other:?}: {error}"),
    }
}

async fn ask(tracker: &Tracker, id: &OperationId, verb: &Verb) -> Answer {
    let patch = match verb {
        Verb::Create { identity, .. } => {
            let new = NewOperation::new(identity.as_deref().unwrap()).id(id.clone());
            let created = tracker.create(new).await;
            return created.map_or_else(|error| refusal(verb, &error), |there| Answer::Done(seen(&there)));
        }
        Verb::Get => {
            let got = tracker.get(id).await;
            return got.map_or_else(|error| refusal(verb, &error), |there| Answer::Done(seen(&there)));
        }
        Verb::Delete { .. } => {
            let gone = tracker.delete(id).await;
            return gone.map_or_else(|error| refusal(verb, &error), |()| Answer::Deleted);
        }
        Verb::Patch(wanted) => {
            let patch = wanted.detail.as_deref().map_or_else(Patch::new, |text| Patch::new().detail(text));
            wanted.progress.map_or(patch.clone(), |percent| patch.progress(percent))
        }
        Verb::Start { holder, .. } => Patch::claim(&**holder),
        Verb::Complete { result, .. } => Patch::complete(Json::new(result.as_deref().unwrap()).ok()),
        Verb::Fail { code, .. } => Patch::fail(Failure::new(&**code, "it was asked to")),
        Verb::Cancel { .. } => Patch::cancel(),
    };
    let patch = match verb.if_match() {
        Some(version) => patch.if_match(version.parse::<longrun::model::Tags>().unwrap()),
        None => patch,
    };
    let patch = match (verb, verb.holder()) {
        (Verb::Complete { .. } | Verb::Fail { .. }, Some(holder)) => patch.held_by(&**holder),
        _ => patch,
    };
    tracker.patch(id, patch).await.map_or_else(|error| refusal(verb, &error), |there| Answer::Done(seen(&there)))
}

fn verb(random: &mut fastrand::Rng, name: &Text, known: Option<&Text>) -> Verb {
    let mark = |random: &mut fastrand::Rng| -> Text { format!("{name}-{}", random.u32(..)).into() };
    let if_match = known.filter(|_| random.bool()).cloned();
    let holder = random.bool().then(|| name.clone());
    match random.u8(..20) {
        0..4 => Verb::Create { identity: Some("export".into()), running: false },
        4..6 => Verb::Get,
        6..10 => Verb::Start { holder: name.clone(), if_match },
        10..13 => Verb::Patch(Wanted { detail: Some(mark(random)), if_match, ..Wanted::default() }),
        13 => Verb::Patch(Wanted { progress: Some(random.u8(..=100)), if_match, ..Wanted::default() }),
        14..16 => Verb::Complete { result: Some(mark(random)), holder },
        16 => Verb::Fail { code: mark(random), holder },
        17 => Verb::Cancel { if_match },
        _ => Verb::Delete { if_match: None },
    }
}

fn version_of(answer: &Answer) -> Option<&Text> {
    match answer {
        Answer::Done(seen)
        | Answer::Conflict(Some(seen))
        | Answer::Lost(Some(seen))
        | Answer::Terminal(Some(seen))
        | Answer::Refused(Some(seen)) => Some(&seen.version),
        _ => None,
    }
}

/// One history of eight clients.
async fn record(number: u64, trackers: &[Tracker; 2]) -> Recording {
    let recording = Arc::new(Mutex::new(Recording::new(&format!("seed {number}"))));
    // One count is a clock: it orders a call before all that begin after its answer.
    let clock = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let tracker = trackers[usize::try_from(client % 2).unwrap()].clone();
        let (recording, clock) = (Arc::clone(&recording), Arc::clone(&clock));
        clients.spawn(async move {
            let mut random = fastrand::Rng::with_seed(number * CLIENTS + client);
            let name: Text = format!("client-{client}").into();
            let mut known = std::collections::HashMap::new();
            for _ in 0..CALLS {
                let id: Text = format!("h{number}-{}", random.u64(..OPERATIONS)).into();
                let verb = verb(&mut random, &name, known.get(&id));
                let call = {
                    let mut recording = recording.lock().unwrap();
                    recording.call(clock.fetch_add(1, Ordering::SeqCst), id.clone(), verb.clone())
                };
                let answer = ask(&tracker, &id.parse().unwrap(), &verb).await;
                if let Some(version) = version_of(&answer) {
                    known.insert(id, version.clone());
                }
                let mut recording = recording.lock().unwrap();
                recording.answer(call, clock.fetch_add(1, Ordering::SeqCst), answer);
            }
        });
    }
    clients.join_all().await;
    let recording = recording.lock().unwrap().clone();
    recording
}

async fn tracker(way: &PgConnectOptions) -> Tracker {
    let pool = pool_options(8).connect_lazy_with(way.clone().application_name("victim"));
    Tracker::builder().open_store(Arc::new(PostgresStore::connect(pool).await.unwrap())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_history_of_racing_clients_has_an_order() {
    let server = Server::start();
    let way = server.database().await;
    let trackers = [tracker(&way).await, tracker(&way).await];
    let admin = pool_options(2).connect_lazy_with(way);
    let (mut total, mut counting) = (Worth::default(), 0);
    for number in 0..HISTORIES {
        let history = record(number, &trackers);
        tokio::pin!(history);
        let mut ended = 0;
        let recording = loop {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE application_name = 'victim' ORDER BY random() LIMIT 1";
            tokio::select! {
                recording = &mut history => break recording,
                _ = sqlx::query(end).execute(&admin), if number % 2 == 0 && ended < 6 => ended += 1,
            }
        };
        let worth = Worth::of(&recording);
        counting += u64::from(worth.counts());
        total += worth;
        match judge(&recording, BOUND).unwrap() {
            Verdict::Linearizable => {}
            Verdict::Undecided => panic!("seed {number}: undecided after {BOUND} steps"),
            Verdict::Illegal(evidence) => panic!("seed {number}: {evidence:?}\n{recording:?}"),
        }
    }
    println!("{HISTORIES} histories, {counting} of worth: {total:?}");
    assert!(
        counting >= HISTORIES * 9 / 10,
        "{counting} of {HISTORIES} histories have calls that meet and one that is lost"
    );
}
