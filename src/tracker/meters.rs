//! What the tracker tells the `metrics` facade: by type and status, never by id.

use std::collections::HashSet;
use std::sync::Arc;

use metrics::{SharedString, counter, gauge, histogram};

use super::{Health, Tracker, between};
use crate::error::Result;
use crate::model::{Failure, Operation, Status};

/// What every type without a name of its own counts as, and every code that is not the library's.
const OTHER: &str = "other";
/// The codes that are told apart: clients may send any.
const CODES: [&str; 10] = [
    Failure::FAILED,
    Failure::CANCELLED,
    Failure::ORPHANED,
    Failure::STALLED,
    Failure::ABANDONED,
    Failure::INTERRUPTED,
    Failure::PANICKED,
    Failure::TIMEOUT,
    Failure::DEADLINE_EXCEEDED,
    Failure::RESULT_TOO_LARGE,
];

/// The types that are told apart.
#[derive(Debug, Default)]
pub(super) struct Meters {
    types: HashSet<Arc<str>>,
}

impl Meters {
    pub(super) fn name_types<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.types.extend(names.into_iter().map(Into::into));
    }

    fn type_of(&self, name: Option<&str>) -> SharedString {
        match name.and_then(|name| self.types.get(name)) {
            Some(name) => Arc::clone(name).into(),
            None => OTHER.into(),
        }
    }

    /// The operation is in another status than before.
    pub(super) fn moved(&self, operation: &Operation) {
        let (status, stamps) = (operation.status(), operation.stamps());
        let type_name = self.type_of(operation.type_name());
        match status {
            Status::NotStarted => {}
            Status::Running => {
                counter!("operations_started_total", "type" => type_name.clone()).increment(1);
                let waited = stamps.started.map_or(0.0, |started| between(stamps.created, started).as_secs_f64());
                histogram!("operation_wait_seconds", "type" => type_name).record(waited);
            }
            Status::Completed | Status::Failed => {
                let code = operation
                    .failure()
                    .map_or("", |failure| CODES.into_iter().find(|code| *code == failure.code()).unwrap_or(OTHER));
                let status = status.as_str();
                counter!(
                    "operations_finished_total", "type" => type_name.clone(), "status" => status, "code" => code
                )
                .increment(1);
                if let Some(started) = stamps.started {
                    histogram!("operation_duration_seconds", "type" => type_name, "status" => status)
                        .record(between(started, stamps.last_action).as_secs_f64());
                }
            }
        }
    }

    pub(super) fn deleted(&self, operation: &Operation) {
        let type_name = self.type_of(operation.type_name());
        counter!("operations_deleted_total", "type" => type_name).increment(1);
    }
}

impl Tracker {
    /// Sets the gauges: at each sweep, for a number that is added up event by event drifts from the truth.
    pub(super) async fn meter(&self) -> Result<()> {
        let (meters, counts) = (&self.inner.meters, self.store().counts().await?);
        let named = meters.types.iter().map(|name| &**name);
        let mut others = Status::ALL.map(|status| counts.of(status));
        for name in named {
            for (status, others) in Status::ALL.into_iter().zip(&mut others) {
                let count = counts.of_type(Some(name), status);
                *others = others.saturating_sub(count);
                current(meters.type_of(Some(name)), status, count);
            }
        }
        for (status, count) in Status::ALL.into_iter().zip(others) {
            current(OTHER.into(), status, count);
        }
        let Health { store, watchers, runs, .. } = self.health();
        counter!("store_groups_total").absolute(store.groups);
        gauge!("store_groups_seconds_total").set(store.group_time.as_secs_f64());
        gauge!("store_flush_lag_seconds").set(store.flush_lag.as_secs_f64());
        gauge!("store_unflushed").set(float(store.unflushed));
        gauge!("store_feed_lag").set(float(store.feed_lag));
        gauge!("store_unreadable").set(float(store.unreadable));
        gauge!("store_writable").set(if store.read_only.is_none() { 1.0 } else { 0.0 });
        gauge!("tracker_watchers").set(float(watchers.try_into().unwrap_or(u64::MAX)));
        gauge!("tracker_runs").set(float(runs.try_into().unwrap_or(u64::MAX)));
        Ok(())
    }
}

fn current(type_name: SharedString, status: Status, count: u64) {
    gauge!("operations_current", "type" => type_name, "status" => status.as_str()).set(float(count));
}

#[expect(clippy::cast_precision_loss, reason = "a figure for a graph; exact below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}
