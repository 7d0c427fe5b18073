//! FAULTS 53 in one process, on sled: work that hangs past its lease or its time is ended by a sweep; when it goes on,
//! its end is refused with the record that won, and that record stays.

use std::time::Duration;

use longrun::calls::EndError;
use longrun::clock::ManualClock;
use longrun::{ErrorKind, Failure, NewOperation, Operation, OperationId, RunError, Tracker};

use crate::support::{date, id, soon};

const LEASE: Duration = Duration::from_mins(1);
const LIMIT: Duration = Duration::from_hours(1);

fn code(operation: &Operation) -> Option<&str> {
    operation.failure().map(Failure::code)
}

async fn open(folder: &std::path::Path, clock: &ManualClock) -> Tracker {
    let builder = Tracker::builder().clock(clock.clone()).lease("leased", LEASE).time_limit("limited", LIMIT);
    builder.open(folder.join("jobs")).await.unwrap()
}

async fn created(tracker: &Tracker, type_name: &str, name: &str) -> OperationId {
    tracker.create(NewOperation::new(type_name).id(id(name))).await.unwrap().id().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_that_hangs_and_comes_back_is_refused_with_the_record_that_won() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(date("2026-05-04T12:00:00Z"));
    let tracker = open(folder.path(), &clock).await;
    // Held, and nobody beats for it.
    let silent = created(&tracker, "leased", "silent").await;
    let held = tracker.start(&silent).await.unwrap();
    // Run, and stuck in a call that blocks its thread: the run cannot so much as look.
    let stuck = created(&tracker, "limited", "stuck").await;
    let (began, begins) = tokio::sync::oneshot::channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let run = tokio::spawn(tracker.run(&stuck, async move |_| {
        began.send(()).unwrap();
        tokio::task::block_in_place(|| goes.recv()).unwrap();
        Ok::<_, Failure>("precious")
    }));
    soon("the work", begins).await.unwrap();

    clock.advance(LEASE + Duration::from_secs(1));
    let swept = tracker.sweep().await.unwrap();
    assert_eq!((swept.stalled, swept.timed_out), (vec![silent.clone()], vec![]));
    clock.advance(LIMIT);
    let swept = tracker.sweep().await.unwrap();
    assert_eq!((swept.stalled, swept.timed_out), (vec![], vec![stuck.clone()]));
    let [stalled, timed_out] = [tracker.get(&silent).await.unwrap(), tracker.get(&stuck).await.unwrap()];
    assert_eq!([code(&stalled), code(&timed_out)], [Some("stalled"), Some("timeout")]);

    let beat = held.heartbeat().await.unwrap_err();
    assert_eq!((beat.kind(), beat.current()), (ErrorKind::Terminal, Some(&stalled)));
    let late: EndError = held.complete("late").await.unwrap_err();
    assert_eq!((late.error().kind(), late.error().current()), (ErrorKind::Terminal, Some(&stalled)));
    let late = late.into_run().fail(Failure::new("late", "later still")).await.unwrap_err();
    assert_eq!((late.error().kind(), late.error().current()), (ErrorKind::Terminal, Some(&stalled)));
    drop(late);
    go.send(()).unwrap();
    match soon("the run", run).await.unwrap() {
        Err(RunError::Unrecorded { value: Ok("precious"), error }) => {
            assert_eq!((error.kind(), error.current()), (ErrorKind::Terminal, Some(&timed_out)));
        }
        other => panic!("{other:?}"),
    }
    for _ in 0..2 {
        tracker.sweep().await.unwrap();
        assert_eq!(tracker.get(&silent).await.unwrap(), stalled);
        assert_eq!(tracker.get(&stuck).await.unwrap(), timed_out);
    }
    tracker.close(Duration::ZERO).await.unwrap();
    let tracker = open(folder.path(), &clock).await;
    assert_eq!(tracker.recovery(), []);
    assert_eq!([tracker.get(&silent).await.unwrap(), tracker.get(&stuck).await.unwrap()], [stalled, timed_out]);
    tracker.close(Duration::ZERO).await.unwrap();
}
