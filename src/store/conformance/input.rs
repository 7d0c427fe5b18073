//! Whatever the model admits comes back as it went in.

use super::trial::{Outcome, Stop, Trial, at, by, count, ensure, listed, loads, new, next, put, same, step};
use crate::model::{Failure, Json, NewOperation, Operation, OperationId, Patch, Rules, Status, Timestamp};
use crate::store::{Durability, MAX_TYPES, Position, Store, StoreError, Swap};

/// Texts that stores have been known to change, cut or refuse (FAULTS 8, 9).
const TEXTS: [&str; 18] = [
    "é",
    "e\u{301}",
    "\u{202e}abc",
    "a\u{200b}b",
    "\u{feff}x",
    "\u{ffff}\u{10ffff}",
    "👩‍🔧",
    " leading and trailing ",
    "it's \"quoted\" \\ back",
    "'; DROP TABLE operations; --",
    "%_%",
    "{\"a\":1}",
    "NULL",
    "null",
    "\\u0000",
    "\\x00",
    "ß ẞ SS",
    "İi ıI",
];
/// More, for free text: C0 without U+0000, DEL, C1, line separators.
const CONTROLS: [&str; 4] = ["\u{1}\u{8}\t\n\r\u{1b}\u{1f}", "\u{7f}\u{80}\u{9f}", "\u{2028}\u{2029}", "\r\n"];

/// Written, and read back: at once, and after the store was opened again.
async fn round_trip(trial: &Trial, store: std::sync::Arc<dyn Store>, all: &[Operation]) -> Outcome {
    for operation in all {
        loads(&*store, operation.id(), Some(operation), "read back").await?;
    }
    let store = trial.reopen(store).await?;
    for operation in all {
        loads(&*store, operation.id(), Some(operation), "read back after close and open").await?;
    }
    Ok(())
}

pub(super) async fn every_member_comes_back(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let full = |id: &str| -> Outcome<NewOperation> {
        let new = new(id)?
            .label("order", "1742")
            .label("a.b-c_d", "x")
            .retry_of("earlier".parse::<OperationId>()?)
            .group("batch")
            .unique(id);
        let new = new.deadline("2031-01-01T00:00:00.0000001+05:30".parse::<Timestamp>()?.to_datetime());
        Ok(new.patch(Patch::new().detail("detail").resource_location("/things/1?a=b#c")))
    };
    let begun = |operation: &Operation| next(&*store, operation, &Patch::claim("worker-7").progress(7), 2);
    let waiting = trial.create(&*store, &full("waiting")?, 1).await?;
    let created = trial.create(&*store, &full("running")?, 1).await?;
    let running = step(&*store, &created, Patch::claim("worker-7").progress(7), 2).await?;
    let cancelling = step(&*store, &running, Patch::cancel(), 3).await?;
    let created = trial.draft(&*store, &full("completed")?, 1)?;
    let result = Patch::complete(Json::new(&[Some(1), None])?);
    let completed = next(&*store, &begun(&created)?, &result, 4)?;
    put(&*store, &completed).await?;
    let created = trial.draft(&*store, &full("failed")?, 1)?;
    let failure = Failure::new("noRows", "nothing").target("table").details(Json::new("more")?);
    let failed = next(&*store, &begun(&created)?, &Patch::fail(failure), 4)?;
    put(&*store, &failed).await?;
    let bare = trial.create(&*store, &NewOperation::untyped(), 1).await?;
    round_trip(trial, store, &[waiting, cancelling, completed, failed, bare]).await
}

pub(super) async fn names_come_back(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut all = Vec::new();
    for (tick, text) in (0..).zip(TEXTS) {
        let created = trial.create(&*store, &NewOperation::new(text).label("text", text), tick).await?;
        let claimed = step(&*store, &created, Patch::claim(text), tick).await?;
        all.push(step(&*store, &claimed, Patch::fail(Failure::new(text, text)), tick).await?);
    }
    round_trip(trial, store, &all).await
}

pub(super) async fn free_texts_come_back(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut all = Vec::new();
    for (tick, text) in (0..).zip(TEXTS.into_iter().chain(CONTROLS).chain([""])) {
        let new = NewOperation::new("export").patch(Patch::new().detail(text));
        let running = trial.in_status(&*store, &new, Status::Running, tick).await?;
        let failure = Failure::new("code", text).target(text).details(Json::new(text)?);
        all.push(step(&*store, &running, Patch::fail(failure), tick).await?);
    }
    round_trip(trial, store, &all).await
}

pub(super) async fn json_comes_back_to_the_letter(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let texts = [
        r#"{"b":1,"a":2,"aa":3,"B":4}"#,
        "[1.0,1.10,-0.0,1e300,123456789012345678,0.1]",
        r#"{"":null,"__proto__":[],"é":"e\u0301"}"#,
        r#""\u0001\"\\/""#,
        "[[[[[[]]]]]]",
        "false",
        "0",
        "\"\"",
    ];
    let mut all = Vec::new();
    for (tick, text) in (0..).zip(texts) {
        let running = trial.in_status(&*store, &NewOperation::new("export"), Status::Running, tick).await?;
        all.push(step(&*store, &running, Patch::complete(text.parse::<Json>()?), tick).await?);
    }
    round_trip(trial, store, &all).await
}

pub(super) async fn times_come_back_to_the_tick(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let texts = [
        "2026-01-01T00:00:00.0000001Z",
        "2026-01-01T00:00:00.9999999Z",
        "2026-06-30T23:59:59.1234567+05:45",
        "2026-06-30T23:59:59.1234567-14:00",
        "2026-06-30T23:59:59.1234567+14:00",
        "0001-01-01T00:00:00Z",
        "1582-10-10T12:00:00.0000007-00:30",
        "1899-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59.9999999Z",
    ];
    let mut all = Vec::new();
    for text in texts {
        let stamp: Timestamp = text.parse()?;
        let draft = trial.draft(&*store, &NewOperation::new("export"), 0)?;
        let birth = draft.version().birth();
        let rules = Rules::new(store.opened().instance);
        let new = NewOperation::new("export").patch(Patch::new().status(Status::Running));
        let operation = Operation::new(&new, draft.id().clone(), birth, &rules, stamp)?;
        put(&*store, &operation).await?;
        same(&operation.stamps().created, &stamp, "the suite's own time")?;
        all.push(operation);
    }
    round_trip(trial, store, &all).await
}

pub(super) async fn times_are_ordered_to_the_tick(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut all = Vec::new();
    // Neighbours in 100 ns, written the other way round, ids against the order.
    for tick in (0..20).rev() {
        all.push(trial.named(&*store, &format!("a{:02}", 99_i64.saturating_sub(tick)), tick).await?);
    }
    all.reverse();
    same(&listed(&*store, &by(6)).await?, &all, "operations 100 ns apart")?;
    let bounded = crate::model::Query { from: Some(at(7)?), until: Some(at(9)?), ..by(6) };
    let wanted: Vec<_> = all.iter().skip(7).take(2).cloned().collect();
    same(&listed(&*store, &bounded).await?, &wanted, "operations within 200 ns")
}

pub(super) async fn large_results_come_back(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut all = Vec::new();
    // Around the sizes of pages, segments and buffers; not all alike within.
    for size in [4_095, 4_096, 65_536, 1 << 20] {
        let text: String = ('!'..='~').cycle().filter(|c| !"\"\\".contains(*c)).take(size).collect();
        let running = trial.in_status(&*store, &NewOperation::new("export"), Status::Running, 1).await?;
        all.push(step(&*store, &running, Patch::complete(Json::new(&text)?), 2).await?);
    }
    round_trip(trial, store, &all).await
}

pub(super) async fn many_labels_come_back(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut new = NewOperation::new("t".repeat(NewOperation::MAX_TYPE));
    for number in 0..NewOperation::MAX_LABELS {
        new = new.label(format!("{number:064}"), "👩".repeat(NewOperation::MAX_LABEL));
    }
    let created = trial.create(&*store, &new, 1).await?;
    let query = crate::model::Query {
        label: Some((format!("{:064}", 7), "👩".repeat(NewOperation::MAX_LABEL))),
        ..by(10)
    };
    same(&listed(&*store, &query).await?, &vec![created.clone()], "by a label of full length")?;
    round_trip(trial, store, &[created]).await
}

pub(super) async fn ids_are_kept_apart(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let uuid = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let (long, longer) = ("x".repeat(127), "x".repeat(128));
    let upper = uuid.to_uppercase();
    let simple = uuid.replace('-', "");
    let ids = [
        "a", "A", "a~2", "a~", "a.b", "a-b", "a_b", "...", "-", "~", "_", "0", "00", "null", "con", uuid, &upper,
        &simple, &long, &longer,
    ];
    let mut all = Vec::new();
    for (tick, id) in (0..).zip(ids) {
        all.push(trial.named(&*store, id, tick).await?);
    }
    let texts: Vec<_> = all.iter().map(|operation| operation.id().to_string()).collect();
    same(&texts, &ids.map(Into::into).to_vec(), "the suite's own ids")?;
    round_trip(trial, store, &all).await
}

/// Creates side by side, so that they may share a sync.
async fn create_all(store: &dyn Store, drafts: &[Operation]) -> Outcome<Vec<Result<Swap, StoreError>>> {
    let mut swaps: Vec<_> =
        drafts.iter().map(|draft| (store.swap(None, draft, Durability::Immediate), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (swap, answer) in swaps.iter_mut().filter(|(_, answer)| answer.is_none()) {
            match swap.as_mut().poll(context) {
                std::task::Poll::Ready(ready) => *answer = Some(ready),
                std::task::Poll::Pending => pending = true,
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    Ok(swaps.into_iter().filter_map(|(_, answer)| answer).collect())
}

pub(super) async fn types_are_bounded(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut drafts = Vec::new();
    for number in 0..MAX_TYPES {
        drafts.push(trial.draft(&*store, &NewOperation::new(format!("type {number}")), 1)?);
    }
    for some in drafts.chunks(128) {
        for swap in create_all(&*store, some).await? {
            same(&swap?, &Swap::Stored, "one of 1,024 types")?;
        }
    }
    let surplus = trial.draft(&*store, &NewOperation::new("one too many"), 2)?;
    match store.swap(None, &surplus, Durability::Immediate).await {
        Err(StoreError::TypeLimit) => {}
        other => return Err(Stop::Broken(format!("the 1,025th type is answered with {other:?}"))),
    }
    loads(&*store, surplus.id(), None, "what was refused").await?;
    let (changes, types) = (store.changes(&Position::START, count(1_000)).await?, store.counts().await?);
    ensure(!changes.items.iter().any(|change| change.id() == surplus.id()), || "the feed tells of it".into())?;
    same(&types.total(), &u64::try_from(MAX_TYPES)?, "operations counted")?;
    trial.create(&*store, &NewOperation::new("type 7"), 3).await?;
    trial.create(&*store, &NewOperation::untyped(), 3).await.map(drop)
}
