//! FAULTS 53: a worker that stands still past its lease, is taken for dead, and comes back. It is a process of
//! its own, stopped with SIGSTOP; the database's clock is injected, as in `orphans`.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use longrun::clock::ManualClock;
use longrun::store::{PostgresOptions, PostgresStore, Store as _};
use longrun::{Error, ErrorKind, Failure, NewOperation, Operation, OperationId, Patch, RunError, Status, Tracker};
use longrun_checks_postgres::Server;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::orphans::{CLOCK, show};
use crate::support::id;

/// Longer than any of it takes: a hang is a failure.
const HANG: Duration = Duration::from_mins(5);
const LEASE: Duration = Duration::from_mins(5);
/// What the worker holds: two claims of its own, one of a run that writes all the time, and one by name.
const HELD: [&str; 4] = ["completes", "fails", "runs", "remote"];

/// What the other test stops and wakes: works, is told to end, and says what became of each end.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the worker of another test"]
async fn a_worker_that_is_stopped() {
    let mut told = BufReader::new(std::io::stdin()).lines();
    let database: Vec<String> = told.next().unwrap().unwrap().split(' ').map(Into::into).collect();
    let way = PgConnectOptions::new_without_pgpass().socket(&database[0]).port(database[1].parse().unwrap());
    let way = way.username("postgres").database(&database[2]).options([("search_path", "clock,pg_catalog,public")]);
    let pool = PgPoolOptions::new().max_connections(8).connect_with(way).await.unwrap();
    let store = PostgresStore::connect(pool).await.unwrap();
    let tracker = Tracker::builder().open_store(Arc::new(store)).await.unwrap();

    let completes = tracker.start(&id("completes")).await.unwrap();
    let fails = tracker.start(&id("fails")).await.unwrap();
    tracker.claim(&id("remote"), "zombie").await.unwrap();
    let (began, begins) = tokio::sync::oneshot::channel();
    let runs = tokio::spawn(tracker.run(&id("runs"), async |run| {
        began.send(()).unwrap();
        loop {
            // Until somebody else has ended it.
            run.tracker().heartbeat(run.id()).await?;
        }
        #[expect(unreachable_code, reason = "gives the work its type")]
        Ok::<(), Error>(())
    }));
    begins.await.unwrap();
    println!("\nat work");
    let told = tokio::task::spawn_blocking(move || told.next().unwrap().unwrap());
    assert_eq!(told.await.unwrap(), "end");

    let remote = Patch::complete(None).held_by("zombie");
    for (name, error) in [
        ("completes", completes.complete("late").await.unwrap_err().into_error()),
        ("fails", fails.fail(Failure::new("late", "too late")).await.unwrap_err().into_error()),
        ("remote", tracker.patch(&id("remote"), remote).await.unwrap_err()),
    ] {
        assert_eq!(error.kind(), ErrorKind::Terminal, "{name}: {error:?}");
        say(name, error.current().unwrap());
    }
    match runs.await.unwrap() {
        Err(RunError::Lost(winner)) => say("runs", &winner),
        Err(RunError::Unrecorded { error, .. }) => say("runs", error.current().unwrap()),
        other => panic!("runs: {other:?}"),
    }
}

fn say(name: &str, winner: &Operation) {
    println!("\n{name} {} {}", winner.etag(), winner.failure().unwrap().code());
}

/// The worker's process; whatever ends the test ends it.
struct Worker {
    process: Child,
    told: ChildStdin,
    says: Option<std::io::Lines<BufReader<std::process::ChildStdout>>>,
}

impl Worker {
    fn spawn(server: &Server, database: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "zombie::a_worker_that_is_stopped", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = process.stdin.take().unwrap();
        writeln!(told, "{} {} {database}", server.socket_folder().display(), server.port()).unwrap();
        let says = Some(BufReader::new(process.stdout.take().unwrap()).lines());
        Self { process, told, says }
    }

    /// The next line that begins so, without that.
    async fn says(&mut self, prefix: &str) -> String {
        let (mut lines, begins) = (self.says.take().unwrap(), prefix.to_owned());
        let line = tokio::task::spawn_blocking(move || {
            let line = lines.find_map(|line| Some(line.unwrap().strip_prefix(&begins)?.to_owned()));
            (line, lines)
        });
        let (line, lines) = tokio::time::timeout(HANG, line).await.expect("the worker hangs").unwrap();
        self.says = Some(lines);
        line.unwrap_or_else(|| panic!("the worker ended and never said `{prefix}`"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Stops it, and answers when it stands.
    fn stop(&self) {
        self.signal(Signal::STOP);
        let (_, status) = waitpid(Some(Pid::from_child(&self.process)), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{status:?}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Gone already, where all went well.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_back_is_refused_with_the_record_that_won() {
    let server = Server::start();
    let way = server.database().await.options([("search_path", "clock,pg_catalog,public")]);
    let database = way.get_database().unwrap().to_owned();
    let pool = PgPoolOptions::new().max_connections(8).connect_with(way).await.unwrap();
    sqlx::raw_sql(CLOCK).execute(&pool).await.unwrap();
    let clock = ManualClock::new("2026-03-01T00:00:00+00:00".parse().unwrap());
    let options = PostgresOptions::default().clock(Arc::new(clock.clone()));
    let store = PostgresStore::connect_with(pool.clone(), options).await.unwrap();
    let builder = Tracker::builder().clock(clock.clone()).lease("remote", LEASE);
    let tracker = builder.open_store(Arc::new(store.clone())).await.unwrap();
    for name in HELD {
        let type_name = if name == "remote" { "remote" } else { "export" };
        tracker.create(NewOperation::new(type_name).id(id(name))).await.unwrap();
    }

    let mut worker = Worker::spawn(&server, &database);
    worker.says("at work").await;
    store.maintain_now().await.unwrap();
    let swept = tracker.sweep().await.unwrap();
    assert_eq!((swept.orphaned, swept.stalled), (vec![], vec![]), "the worker lives");

    worker.stop();
    let (mut orphaned, mut stalled) = (Vec::<OperationId>::new(), Vec::new());
    let mut seconds = 0;
    while orphaned.len() + stalled.len() < HELD.len() {
        // What it had sent when it was stopped may be written after the clock has moved on: then another round ends it.
        seconds += 301;
        assert!(seconds < 20 * 301, "ended: {orphaned:?}, {stalled:?}");
        show(&pool, seconds).await;
        store.maintain_now().await.unwrap();
        let swept = tracker.sweep().await.unwrap();
        orphaned.extend(swept.orphaned);
        stalled.extend(swept.stalled);
    }
    orphaned.sort();
    assert_eq!((orphaned, stalled), (["completes", "fails", "runs"].map(id).into(), vec![id("remote")]));
    let mut ended = Vec::new();
    for name in HELD {
        ended.push(tracker.get(&id(name)).await.unwrap());
    }

    writeln!(worker.told, "end").unwrap();
    worker.signal(Signal::CONT);
    for name in ["completes", "fails", "remote", "runs"] {
        let winner = ended.iter().find(|operation| *operation.id() == id(name)).unwrap();
        let code = if name == "remote" { "stalled" } else { "orphaned" };
        assert_eq!(worker.says(&format!("{name} ")).await, format!("{} {code}", winner.etag()));
    }
    assert!(worker.process.wait().unwrap().success());
    for (name, winner) in HELD.into_iter().zip(&ended) {
        assert_eq!(tracker.get(&id(name)).await.unwrap(), *winner, "{name} is as the rescuer wrote it");
    }
    assert_eq!(tracker.counts().await.unwrap().of(Status::Failed), 4);
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
}
