//! `run`: however the work ends, the operation ends with it, and says how.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use longrun::{ErrorKind, Failure, NewOperation, OperationId, Reporter, RunError, Status, Tracker};

use crate::faulty::{Bench, bench, bench_with};
use crate::support::{id, soon};

async fn created(tracker: &Tracker, name: &str) -> OperationId {
    tracker.create(NewOperation::new("export").id(id(name))).await.unwrap().id().clone()
}

async fn code(tracker: &Tracker, id: &OperationId) -> String {
    let operation = tracker.get(id).await.unwrap();
    operation.failure().map_or_else(|| operation.status().to_string(), |failure| failure.code().to_owned())
}

/// What the run's panic says.
async fn panic_of<T: Send + 'static>(run: impl Future<Output = T> + Send + 'static) -> String {
    let panicked = soon("the run", tokio::spawn(run)).await.err().expect("the panic is handed on");
    (*panicked.into_panic().downcast::<&'static str>().unwrap()).into()
}

/// FAULTS 52.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_the_call_in_the_body_and_in_drop_is_recorded_and_handed_on() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    struct Dropped(Bomb);
    impl Future for Dropped {
        type Output = Result<i32, Failure>;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(Ok(1))
        }
    }
    type Work = Pin<Box<dyn Future<Output = Result<i32, Failure>> + Send>>;
    type Called = fn(Reporter) -> Work;
    let works: [(&str, Called); 4] = [
        ("in the call", |_| panic!("in the call")),
        ("in the body", |_| Box::pin(async { panic!("in the body") })),
        ("after an await", |_| {
            Box::pin(async {
                tokio::task::yield_now().await;
                panic!("after an await")
            })
        }),
        ("in drop", |_| Box::pin(Dropped(Bomb))),
    ];
    let Bench { tracker, .. } = bench().await;
    for (name, work) in works {
        let id = created(&tracker, name.replace(' ', "-").as_str()).await;
        let told = panic_of(tracker.run(&id, work)).await;
        assert_eq!(told, name);
        let failed = tracker.get(&id).await.unwrap();
        let failure = failed.failure().unwrap();
        assert_eq!((failure.code(), failure.message()), ("panicked", name));
        assert_eq!(tracker.watchers(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_keeps_its_code_and_any_other_error_is_failed_with_its_text() {
    let Bench { tracker, .. } = bench().await;
    let (a, b) = (created(&tracker, "a").await, created(&tracker, "b").await);
    let error = tracker.run(&a, async |_| Err::<(), _>(Failure::new("noRows", "none"))).await.unwrap_err();
    assert!(matches!(error, RunError::Work(_)), "{error:?}");
    assert_eq!(code(&tracker, &a).await, "noRows");
    let error = tracker.run(&b, async |_| Err::<(), _>(fmt::Error)).await.unwrap_err();
    assert!(matches!(error, RunError::Work(_)), "{error:?}");
    let failed = tracker.get(&b).await.unwrap();
    let failure = failed.failure().unwrap();
    assert_eq!((failure.code(), failure.message()), ("failed", &*fmt::Error.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_operation_is_refused_and_the_work_never_called() {
    let Bench { tracker, .. } = bench().await;
    let a = created(&tracker, "a").await;
    let run = tracker.start(&a).await.unwrap();
    let refused = tracker.run(&a, |_| -> std::future::Ready<Result<(), Failure>> { unreachable!() }).await;
    assert!(
        matches!(&refused, Err(RunError::Refused(error)) if error.kind() == ErrorKind::IllegalTransition),
        "{refused:?}"
    );
    run.complete(1).await.unwrap();
}

type Hanging = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// Work that says that it began and then never ends by itself, and whether it is alive.
fn hangs() -> (impl FnOnce(Reporter) -> Hanging, Arc<tokio::sync::Notify>, std::sync::Weak<()>) {
    let (began, alive) = (Arc::new(tokio::sync::Notify::new()), Arc::new(()));
    let (tells, watched) = (Arc::clone(&began), Arc::downgrade(&alive));
    let work = move |_: Reporter| -> Hanging {
        Box::pin(async move {
            tells.notify_one();
            let never = std::future::pending().await;
            drop(alive);
            never
        })
    };
    (work, began, watched)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_drops_its_work_and_ends_cancelled() {
    let Bench { tracker, .. } = bench().await;
    let a = created(&tracker, "a").await;
    let (work, began, alive) = hangs();
    let run = tokio::spawn(tracker.run(&a, work));
    soon("the work", began.notified()).await;
    let asked = tracker.cancel(&a).await.unwrap();
    assert_eq!(asked.status(), Status::Running, "a running one is asked");
    let lost = soon("the run", run).await.unwrap().unwrap_err();
    assert!(matches!(&lost, RunError::Lost(operation) if operation.status() == Status::Failed), "{lost:?}");
    assert_eq!(code(&tracker, &a).await, "cancelled");
    assert!(alive.upgrade().is_none(), "the work is dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_operation_somebody_else_ended_is_lost() {
    let Bench { tracker, .. } = bench().await;
    let a = created(&tracker, "a").await;
    let (work, began, alive) = hangs();
    let run = tokio::spawn(tracker.run(&a, work));
    soon("the work", began.notified()).await;
    tracker.fail(&a, Failure::new("gone", "by hand")).await.unwrap();
    let lost = soon("the run", run).await.unwrap().unwrap_err();
    assert!(matches!(&lost, RunError::Lost(by) if by.failure().is_some_and(|failure| failure.code() == "gone")));
    assert!(alive.upgrade().is_none(), "the work is dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_cannot_be_recorded_is_handed_back() {
    let Bench { tracker, faults, .. } = bench().await;
    let a = created(&tracker, "a").await;
    let end = tracker.run(&a, {
        let faults = Arc::clone(&faults);
        async move |_| {
            faults.writes_fail.store(true, Ordering::SeqCst);
            Ok::<_, Failure>("precious")
        }
    });
    let unrecorded = end.await.unwrap_err();
    assert!(
        matches!(&unrecorded, RunError::Unrecorded { value: Ok("precious"), error } if error.kind() == ErrorKind::Unavailable),
        "{unrecorded:?}"
    );
    // Finished after somebody else ended it: handed back too, with the record that won.
    faults.writes_fail.store(false, Ordering::SeqCst);
    let b = created(&tracker, "b").await;
    let late = tracker.run(&b, async |run| {
        // Without an await of the work's own, so that it is finished before anybody can tell it to stop.
        let fail = run.tracker().fail(run.id(), Failure::new("gone", "by hand"));
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(fail)).unwrap();
        Ok::<_, Failure>("late")
    });
    let unrecorded = late.await.unwrap_err();
    assert!(
        matches!(&unrecorded, RunError::Unrecorded { value: Ok("late"), error } if error.current().is_some()),
        "{unrecorded:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_over_its_bound_ends_failed_and_is_handed_back() {
    let Bench { tracker, .. } = bench_with(|builder| builder.max_result(10)).await;
    let a = created(&tracker, "a").await;
    let large = tracker.run(&a, async |_| Ok::<_, Failure>("x".repeat(9))).await.unwrap_err();
    assert!(matches!(&large, RunError::TooLarge { value, .. } if value.len() == 9), "{large:?}");
    assert_eq!(code(&tracker, &a).await, "resultTooLarge");
    let b = created(&tracker, "b").await;
    tracker.run(&b, async |_| Ok::<_, Failure>("x".repeat(8))).await.unwrap();
}

/// Spawned from a function that knows nothing of it.
async fn spawn_generic<F, Fut, T, E>(tracker: Tracker, id: OperationId, work: F) -> Result<T, RunError<T, E>>
where
    F: FnOnce(Reporter) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: serde::Serialize + Send + 'static,
    E: fmt::Display + fmt::Debug + Send + 'static,
{
    tokio::spawn(async move { tracker.run(&id, work).await }).await.unwrap()
}

/// What tower's `Service` asks of a call, without tower.
trait Service<Request> {
    type Response;
    type Error;
    type Future: Future<Output = Result<Self::Response, Self::Error>>;
    fn call(&mut self, request: Request) -> Self::Future;
}

/// A layer that tracks each call of the service inside.
struct Tracked<S> {
    inner: S,
    tracker: Tracker,
}

impl<S> Service<OperationId> for Tracked<S>
where
    S: Service<OperationId> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: serde::Serialize + Send + 'static,
    S::Error: fmt::Display + Send + 'static,
{
    type Response = S::Response;
    type Error = RunError<S::Response, S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&mut self, id: OperationId) -> Self::Future {
        let (mut inner, request) = (self.inner.clone(), id.clone());
        Box::pin(self.tracker.run(&id, move |_| inner.call(request)))
    }
}

#[derive(Clone)]
struct Length;

impl Service<OperationId> for Length {
    type Response = usize;
    type Error = Failure;
    type Future = std::future::Ready<Result<usize, Failure>>;

    fn call(&mut self, id: OperationId) -> Self::Future {
        std::future::ready(Ok(id.to_string().len()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generic_function_and_a_layer_spawn_it() {
    let Bench { tracker, .. } = bench().await;
    let a = created(&tracker, "a").await;
    let two = spawn_generic(tracker.clone(), a, async |_| Ok::<_, Failure>(2)).await.unwrap();
    assert_eq!(two, 2);
    let bcd = created(&tracker, "bcd").await;
    let mut layer = Tracked { inner: Length, tracker: tracker.clone() };
    assert_eq!(tokio::spawn(layer.call(bcd.clone())).await.unwrap().unwrap(), 3);
    assert_eq!(tracker.get(&bcd).await.unwrap().result::<usize>().unwrap(), 3);
}

/// A client's larger percentage once refused every later write of the run, signs of life too.
#[tokio::test]
async fn progress_that_somebody_else_told_does_not_silence_the_run() {
    let lease = Duration::from_mins(1);
    let Bench { tracker, clock, .. } = bench_with(|builder| builder.lease("export", lease)).await;
    let a = created(&tracker, "a").await;
    let (done, finish) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(tracker.run(&a, async |run| {
        run.tracker().progress(run.id(), 80).await.unwrap();
        run.progress(40);
        run.detail("half");
        finish.await.map_err(|_| Failure::new("test", "gone"))
    }));
    soon("the detail", async {
        let mut watch = tracker.watch(&a).await.unwrap();
        while let Some(Ok(longrun::calls::Watched::Updated(operation))) = watch.next().await {
            if operation.detail() == Some("half") {
                return;
            }
        }
        panic!("ended early");
    })
    .await;
    beat_for(&tracker, &clock, &a, lease * 5).await;
    done.send(()).unwrap();
    soon("the run", run).await.unwrap().unwrap();
}

/// Lets time pass second by second, sweeping, for as long as the operation shows a sign of life in time.
async fn beat_for(tracker: &Tracker, clock: &longrun::clock::ManualClock, id: &OperationId, span: Duration) {
    let mut passed = Duration::ZERO;
    let mut watch = tracker.watch(id).await.unwrap();
    watch.next().await.unwrap().unwrap();
    while passed < span {
        // More than a third of the lease: by then the run has written.
        for _ in 0..25 {
            clock.advance(Duration::from_secs(1));
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        }
        passed += Duration::from_secs(25);
        soon("a sign of life", watch.next()).await.unwrap().unwrap();
        assert_eq!(tracker.sweep().await.unwrap().stalled, []);
    }
}

/// Each repeated `progress` once put the next sign of life off.
#[tokio::test]
async fn saying_the_same_again_does_not_put_off_the_sign_of_life() {
    let lease = Duration::from_mins(1);
    let Bench { tracker, clock, .. } = bench_with(|builder| builder.lease("export", lease)).await;
    let a = created(&tracker, "a").await;
    let (sends, reporter) = tokio::sync::oneshot::channel();
    let run = tokio::spawn(tracker.run(&a, async |run| {
        run.progress(10);
        drop(sends.send(run));
        std::future::pending::<Result<(), Failure>>().await
    }));
    let reporter: Reporter = soon("the work", reporter).await.unwrap();
    let mut watch = tracker.watch(&a).await.unwrap();
    for _ in 0..20 {
        for _ in 0..25 {
            reporter.progress(10);
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        soon("a sign of life", watch.next()).await.unwrap().unwrap();
        assert_eq!(tracker.sweep().await.unwrap().stalled, []);
    }
    run.abort();
}

#[tokio::test]
async fn a_hung_run_never_stalls_and_ends_as_timeout_also_with_the_clock_set_back() {
    let (lease, limit) = (Duration::from_mins(1), Duration::from_mins(10));
    let bench = bench_with(|builder| builder.lease("export", lease).time_limit("export", limit)).await;
    let Bench { tracker, clock, .. } = bench;
    let a = created(&tracker, "a").await;
    let (work, began, alive) = hangs();
    let run = tokio::spawn(tracker.run(&a, work));
    soon("the work", began.notified()).await;
    // The dates say nothing about how long it runs.
    clock.set(crate::support::date("2016-05-04T12:00:00Z"));
    beat_for(&tracker, &clock, &a, Duration::from_secs(275)).await;
    clock.set(crate::support::date("2036-05-04T12:00:00Z"));
    beat_for(&tracker, &clock, &a, Duration::from_secs(275)).await;
    clock.advance(Duration::from_secs(50));
    let lost = soon("the run", run).await.unwrap().unwrap_err();
    assert!(matches!(lost, RunError::Lost(_)), "{lost:?}");
    assert_eq!(code(&tracker, &a).await, "timeout");
    assert!(alive.upgrade().is_none());
}
