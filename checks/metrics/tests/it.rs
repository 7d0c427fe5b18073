//! What a recorder is told: each name that `docs/operating.md` lists, and never more series than types.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure, outside the test functions too")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use longrun::calls::Builder;
use longrun::clock::ManualClock;
use longrun::{Failure, NewOperation, OperationId, Patch, Status, Tracker};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    tracker: Tracker,
    clock: ManualClock,
    seen: Snapshotter,
    _recording: metrics::LocalRecorderGuard<'static>,
}

/// The recorder is this thread's alone; the test's runtime runs on it.
async fn bench(choose: impl FnOnce(Builder) -> Builder) -> Bench {
    let recorder: &'static DebuggingRecorder = Box::leak(Box::default());
    let clock = ManualClock::new(chrono::DateTime::parse_from_rfc3339("2026-05-04T12:00:00Z").unwrap());
    let tracker = choose(Tracker::builder().clock(clock.clone())).in_memory().await.unwrap();
    Bench {
        tracker,
        clock,
        seen: recorder.snapshotter(),
        _recording: metrics::set_default_local_recorder(recorder),
    }
}

impl Bench {
    /// `name{key="value",..}` and what it says. Histograms and counters begin anew with each look.
    fn look(&self) -> BTreeMap<String, DebugValue> {
        let all = self.seen.snapshot().into_vec().into_iter();
        all.map(|(key, _, _, value)| {
            let labels = key.key().labels().map(|label| format!("{}={:?}", label.key(), label.value()));
            let labels = labels.collect::<Vec<_>>().join(",");
            (format!("{}{{{labels}}}", key.key().name()), value)
        })
        .collect()
    }

    async fn created(&self, type_name: &str, name: &str) -> OperationId {
        let id: OperationId = name.parse().unwrap();
        self.tracker.create(NewOperation::new(type_name).id(id.clone())).await.unwrap();
        id
    }
}

fn count(count: u64) -> DebugValue {
    DebugValue::Counter(count)
}

fn gauge(value: u32) -> DebugValue {
    DebugValue::Gauge(f64::from(value).into())
}

fn told(values: &[f64]) -> DebugValue {
    DebugValue::Histogram(values.iter().map(|value| (*value).into()).collect())
}

#[tokio::test]
async fn starts_ends_spans_and_what_is_there_are_told() {
    let bench = bench(|builder| builder.metered_types(["export"])).await;
    let Bench { tracker, clock, .. } = &bench;
    let well = bench.created("export", "well").await;
    clock.advance(SECOND * 3);
    let run = tracker.start(&well).await.unwrap();
    clock.advance(SECOND * 5);
    run.complete(1).await.unwrap();
    for (name, code) in [("badly", Failure::FAILED), ("worse", "clientsOwn"), ("worst", "another")] {
        let id = bench.created("unnamed", name).await;
        tracker.start(&id).await.unwrap().fail(Failure::new(code, "no")).await.unwrap();
    }
    bench.created("export", "waits").await;
    let never = bench.created("export", "never").await;
    tracker.cancel(&never).await.unwrap();
    tracker.delete(&never).await.unwrap();
    let held = bench.created("unnamed", "held").await;
    let held = tracker.start(&held).await.unwrap();
    tracker.sweep().await.unwrap();

    let seen = bench.look();
    let expected = [
        (r#"operations_started_total{type="export"}"#, count(1)),
        (r#"operations_started_total{type="other"}"#, count(4)),
        (r#"operations_finished_total{type="export",status="Completed",code=""}"#, count(1)),
        (r#"operations_finished_total{type="export",status="Failed",code="cancelled"}"#, count(1)),
        (r#"operations_finished_total{type="other",status="Failed",code="failed"}"#, count(1)),
        (r#"operations_finished_total{type="other",status="Failed",code="other"}"#, count(2)),
        (r#"operations_deleted_total{type="export"}"#, count(1)),
        (r#"operation_wait_seconds{type="export"}"#, told(&[3.0])),
        (r#"operation_duration_seconds{type="export",status="Completed"}"#, told(&[5.0])),
        (r#"operations_current{type="export",status="NotStarted"}"#, gauge(1)),
        (r#"operations_current{type="export",status="Completed"}"#, gauge(1)),
        (r#"operations_current{type="export",status="Failed"}"#, gauge(0)),
        (r#"operations_current{type="other",status="Running"}"#, gauge(1)),
        (r#"operations_current{type="other",status="Failed"}"#, gauge(3)),
        ("tracker_runs{}", gauge(1)),
        ("store_writable{}", gauge(1)),
    ];
    for (name, value) in expected {
        assert_eq!(seen.get(name), Some(&value), "{name} of {seen:#?}");
    }
    let Some(DebugValue::Counter(groups)) = seen.get("store_groups_total{}") else { panic!("{seen:#?}") };
    assert!(*groups >= 13, "each write above was awaited: a group each, not {groups}");
    drop(held);
}

/// FAULTS 31.
#[tokio::test]
async fn ten_thousand_ids_types_and_codes_make_no_new_series() {
    let bench = bench(|builder| builder.metered_types(["export"])).await;
    let mut series = BTreeSet::new();
    for n in 0..10_000 {
        let type_name = if n % 2 == 0 { "export".to_owned() } else { format!("type-{}", n % 1_000) };
        let failure = Failure::new(format!("code{n}"), "no");
        let new = NewOperation::new(type_name)
            .id(format!("id-{n}").parse::<OperationId>().unwrap())
            .patch(Patch::new().status(Status::Running));
        let operation = bench.tracker.create(new).await.unwrap();
        if n % 3 != 0 {
            bench.tracker.fail(operation.id(), failure).await.unwrap();
        }
        if n == 10 {
            bench.tracker.sweep().await.unwrap();
            series = bench.look().into_keys().collect();
        }
    }
    bench.tracker.sweep().await.unwrap();
    let after: BTreeSet<_> = bench.look().into_keys().collect();
    assert_eq!(after, series);
    assert!(series.len() < 30, "{series:#?}");
}

/// The table of `docs/operating.md` and what is told: neither lists what the other does not.
#[tokio::test]
async fn the_names_are_as_documented() {
    let text = include_str!("../../../docs/operating.md");
    let section = text.split("## Metrics").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: BTreeSet<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
            format!("{} {} {}", cells[0], cells[1], cells[2])
        })
        .collect();
    let bench = bench(|builder| builder).await;
    let id = bench.created("export", "a").await;
    bench.tracker.run(&id, async |_| Ok::<_, Failure>(1)).await.unwrap();
    bench.tracker.delete(&id).await.unwrap();
    bench.tracker.sweep().await.unwrap();
    let told: BTreeSet<_> = bench
        .seen
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            let kind = match value {
                DebugValue::Counter(_) => "counter",
                DebugValue::Gauge(_) => "gauge",
                DebugValue::Histogram(_) => "histogram",
            };
            let labels: Vec<_> = key.key().labels().map(metrics::Label::key).collect();
            format!("{} {kind} {}", key.key().name(), labels.join(", "))
        })
        .collect();
    assert_eq!(told, documented);
}
