//! What a host sees: the names in `docs/operating.md`, the one warning, `health()`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longrun::{Failure, NewOperation, OperationId, Patch, Status, Tracker};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::faulty::{Bench, bench_with};
use crate::support::{Control, clock, id, soon};

/// Keeps each event and span as `LEVEL name field,field`.
#[derive(Clone, Default)]
struct Capture {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<AtomicU64>,
}

#[derive(Default)]
struct Fields {
    message: String,
    names: Vec<String>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.names.push(field.name().into());
        }
    }
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("longrun")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let line = format!("SPAN {} {}", span.metadata().name(), fields.names.join(","));
        self.lines.lock().unwrap().push(line);
        Id::from_u64(self.spans.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = format!("{} {} {}", event.metadata().level(), fields.message, fields.names.join(","));
        self.lines.lock().unwrap().push(line);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Capture {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

async fn created(tracker: &Tracker, name: &str) -> OperationId {
    tracker.create(NewOperation::new("export").id(id(name))).await.unwrap().id().clone()
}

/// The rows of the table in `docs/operating.md`, as they are captured.
fn documented() -> Vec<String> {
    let text = include_str!("../../docs/operating.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().replace('`', ""));
        let (name, level, fields) = (cells.next()?, cells.next()?, cells.next()?);
        let level = level.to_uppercase();
        ["SPAN", "DEBUG", "INFO", "WARN"]
            .contains(&&*level)
            .then(|| format!("{level} {name} {}", fields.replace(", ", ",")))
    });
    rows.collect()
}

#[tokio::test]
async fn events_and_the_span_are_as_documented() {
    let lease = Duration::from_mins(1);
    let choose = |builder: longrun::calls::Builder| {
        builder.lease("export", lease).time_limit("report", lease).max_result(1_000)
    };
    let Bench { tracker, clock, .. } = bench_with(choose).await;
    let capture = Capture::default();
    let _capturing = tracing::subscriber::set_default(capture.clone());

    let a = created(&tracker, "a").await;
    tracker.run(&a, async |_| Ok::<_, Failure>(1)).await.unwrap();
    assert_eq!(
        capture.take(),
        [
            "DEBUG created operation.id,operation.type",
            "DEBUG started operation.id,operation.type,holder",
            "SPAN operation operation.id,operation.type",
            "DEBUG completed operation.id,operation.type",
        ]
    );
    let mut seen = vec!["SPAN operation operation.id,operation.type".to_owned()];
    seen.push("DEBUG created operation.id,operation.type".into());
    seen.push("DEBUG started operation.id,operation.type,holder".into());
    seen.push("DEBUG completed operation.id,operation.type".into());
    tracker.complete(&a, 2).await.unwrap_err();
    tracker.delete(&a).await.unwrap();
    let b = created(&tracker, "b").await;
    tracker.cancel(&b).await.unwrap();
    let c = created(&tracker, "c").await;
    tracker.run(&c, async |_| Err::<(), _>(Failure::new("no", "no"))).await.unwrap_err();
    let d = created(&tracker, "d").await;
    drop(tracker.start(&d).await.unwrap());
    tracker.counts().await.unwrap();
    for (name, type_name) in [("e", "export"), ("f", "report")] {
        let new = NewOperation::new(type_name).id(id(name)).patch(Patch::new().status(Status::Running));
        tracker.create(new).await.unwrap();
    }
    let due = longrun::clock::Clock::now(&clock) + lease;
    tracker.create(NewOperation::new("export").id(id("due")).deadline(due)).await.unwrap();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = tracker.create(NewOperation::new("export").id(id("traced")).trace_parent(trace)).await.unwrap();
    tracker.run(traced.id(), async |_| Ok::<_, Failure>(1)).await.unwrap();
    clock.advance(lease * 2);
    tracker.sweep().await.unwrap();
    let late = created(&tracker, "g").await;
    let held = tracker.start(&late).await.unwrap();
    tracker.close(Duration::ZERO).await.unwrap();
    drop(held);

    // An open that finds what a dead process was running.
    let control = Control::new();
    let open = async || {
        let store = Arc::new(control.open(crate::support::clock()).await.unwrap());
        Tracker::builder().open_store(store).await.unwrap()
    };
    let first = open().await;
    let orphan = created(&first, "h").await;
    std::mem::forget(first.start(&orphan).await.unwrap());
    let second = open().await;
    assert_eq!(second.recovery(), [orphan]);

    let panics = created(&second, "i").await;
    let panicking = second.run(&panics, |_| -> std::future::Ready<Result<(), Failure>> { panic!("oh") });
    soon("the panic", tokio::spawn(panicking)).await.unwrap_err();

    seen.extend(capture.take());
    let documented = documented();
    for line in &seen {
        assert!(documented.contains(line), "not documented: {line}\n{documented:#?}");
    }
    for row in &documented {
        assert!(seen.contains(row), "documented and never seen: {row}\n{seen:#?}");
    }
}

#[tokio::test]
async fn a_forgotten_maintain_is_warned_of_once() {
    let Bench { tracker, clock, .. } = bench_with(|builder| builder).await;
    let capture = Capture::default();
    let _capturing = tracing::subscriber::set_default(capture.clone());
    let warnings = || capture.take().iter().filter(|line| line.contains("nobody drives")).count();
    clock.advance(Duration::from_secs(121));
    let a = created(&tracker, "a").await;
    assert_eq!(warnings(), 0, "nothing runs");
    let run = tracker.start(&a).await.unwrap();
    tracker.counts().await.unwrap();
    tracker.counts().await.unwrap();
    assert_eq!(warnings(), 1);
    clock.advance(Duration::from_secs(1_000));
    tracker.counts().await.unwrap();
    assert_eq!(warnings(), 0, "once");
    run.complete(1).await.unwrap();

    let Bench { tracker, clock, .. } = bench_with(|builder| builder).await;
    let a = created(&tracker, "a").await;
    let run = tracker.start(&a).await.unwrap();
    for _ in 0..10 {
        clock.advance(Duration::from_mins(1));
        tracker.sweep().await.unwrap();
        tracker.counts().await.unwrap();
    }
    assert_eq!(warnings(), 0, "maintain is driven");
    run.complete(1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_how_far_the_disk_is_behind_and_that_writes_are_refused() {
    let (control, clock) = (Control::new(), clock());
    let store = Arc::new(control.open(clock.clone()).await.unwrap());
    let tracker = Tracker::builder().clock((*clock).clone()).open_store(store).await.unwrap();
    let a = created(&tracker, "a").await;
    let healthy = tracker.health();
    assert!(healthy.is_writable());
    assert_eq!((healthy.store.unflushed, healthy.store.flush_lag, healthy.store.feed_lag), (0, Duration::ZERO, 0));
    let run = tracker.start(&a).await.unwrap();
    assert_eq!(tracker.health().runs, 1);
    control.shut();
    let write = tokio::spawn({
        let tracker = tracker.clone();
        async move { tracker.create(NewOperation::untyped()).await }
    });
    control.wait_at_gate();
    clock.advance(Duration::from_secs(7));
    let behind = tracker.health();
    assert_eq!(
        (behind.store.unflushed, behind.store.flush_lag, behind.store.feed_lag),
        (1, Duration::from_secs(7), 1)
    );
    control.open_gate();
    soon("the write", write).await.unwrap().unwrap();
    let caught_up = tracker.health();
    assert_eq!(caught_up.store.groups, healthy.store.groups + 2, "the start, and the write");
    assert_eq!(caught_up.store.group_time, Duration::from_secs(7));
    control.shut();
    let write = tokio::spawn({
        let tracker = tracker.clone();
        async move { tracker.create(NewOperation::untyped()).await }
    });
    control.wait_at_gate();
    control.fault(Some(crate::support::Fault::Sync(std::io::ErrorKind::Other)));
    control.open_gate();
    soon("the write", write).await.unwrap().unwrap_err();
    let broken = tracker.health();
    assert!(!broken.is_writable(), "{broken:?}");
    drop(run);
}
