//! Many processes share one PostgreSQL database, do real work, and are killed at random.
//!
//! ```text
//! $ cargo run --release -p longrun-examples --example fleet -- --workers 8 --kill
//! a server of its own in /tmp/longrun-pg-x1Y2z3
//! 10000 operations for 8 workers, seed 1
//! ..
//! 10000 operations in 21.4 s, 9 workers killed, 0 wrong digests
//! 9981 completed, 19 failed, 0 running, 0 run twice
//! ```
//!
//! With `--database URL` it uses that server, in the schema `longrun_fleet`; without, it starts one of its
//! own, and says so if PostgreSQL's binaries are not there. The work is hashing files. With `--kill` workers
//! are killed with -9 and replaced; what they had in hand ends as Failed/`orphaned` a minute after their last
//! sign of life, so the end takes that long. Every worker notes what it begins before it does: that is what
//! `run twice` counts. SIGTERM or Ctrl-C: workers finish what they hold, the figures are printed, exit 0.

#![expect(clippy::print_stdout, reason = "an example talks to people")]
#![expect(clippy::disallowed_methods, reason = "an example is the host: it spawns what the library does not")]

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longrun::store::{PostgresOptions, PostgresStore};
use longrun::{ErrorKind, NewOperation, Operation, RunError, Status, Tracker};
use longrun_checks_postgres::{Server, Settings};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgPoolOptions;
use tokio::sync::Notify;
use tokio::task::JoinSet;

type Failed = Box<dyn Error + Send + Sync>;

const USAGE: &str = "fleet [--database URL] [--workers N] [--operations N] [--seed S] [--kill]";
const FILES: u64 = 64;
/// Operations that one worker has in hand at once.
const HANDS: usize = 8;
/// How long a worker may finish what it holds.
const BOUND: Duration = Duration::from_secs(10);

struct Arguments {
    database: Option<String>,
    workers: usize,
    operations: usize,
    seed: u64,
    kill: bool,
    /// Set for a worker process alone: the folder of its files.
    worker: Option<PathBuf>,
}

impl Arguments {
    fn read(mut given: impl Iterator<Item = String>) -> Option<Self> {
        let mut read = Self { database: None, workers: 8, operations: 10_000, seed: 1, kill: false, worker: None };
        while let Some(name) = given.next() {
            match &*name {
                "--database" => read.database = Some(given.next()?),
                "--workers" => read.workers = given.next()?.parse().ok().filter(|workers| *workers > 0)?,
                "--operations" => read.operations = given.next()?.parse().ok()?,
                "--seed" => read.seed = given.next()?.parse().ok()?,
                "--kill" => read.kill = true,
                "--worker" => read.worker = Some(given.next()?.into()),
                _ => return None,
            }
        }
        Some(read)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments = Arguments::read(std::env::args().skip(1)).ok_or(USAGE)?;
    match (&arguments.worker, &arguments.database) {
        (Some(folder), Some(database)) => work(database, folder).await,
        (None, Some(database)) => lead(&arguments, database).await,
        (_, None) => {
            let server = Server::try_start(&Settings::default()).map_err(|error| {
                format!("no --database was given, and no server of its own can be started: {error}")
            })?;
            println!("a server of its own in {}", server.socket_folder().display());
            lead(&arguments, &server.url()).await
        }
    }
}

async fn open(database: &str, connections: u32) -> Result<Tracker, Failed> {
    let pool = PgPoolOptions::new().max_connections(connections).connect(database).await?;
    let options = PostgresOptions::default().schema("longrun_fleet");
    let store = PostgresStore::connect_with(pool, options).await?;
    Ok(Tracker::builder().open_store(Arc::new(store)).await?)
}

/// Set once somebody asks for the end.
fn ended() -> Result<Arc<Notify>, Failed> {
    let asked = Arc::new(Notify::new());
    let told = Arc::clone(&asked);
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = terminated.recv() => {} }
        // Kept for whoever asks later.
        told.notify_one();
    });
    Ok(asked)
}

/// Makes the operations, starts the workers, kills some, waits for the end and adds up.
async fn lead(arguments: &Arguments, database: &str) -> Result<(), Failed> {
    let asked = ended()?;
    let folder = tempfile::tempdir()?;
    let digests = make_files(folder.path(), arguments.seed)?;
    let tracker = open(database, 8).await?;
    tokio::spawn(tracker.maintain());
    make_operations(&tracker, arguments.operations).await?;
    println!("{} operations for {} workers, seed {}", arguments.operations, arguments.workers, arguments.seed);

    let begun = Instant::now();
    let mut fleet = Fleet::start(arguments, database, folder.path())?;
    let mut random = fastrand::Rng::with_seed(arguments.seed);
    let mut told = Instant::now();
    let stopped = loop {
        tokio::select! {
            () = asked.notified() => break true,
            () = tokio::time::sleep(Duration::from_millis(random.u64(50..400))) => {}
        }
        let [waiting, running, completed, failed] = counts(&tracker).await?;
        if told.elapsed() >= Duration::from_secs(5) {
            println!("{completed} completed, {failed} failed, {running} running, {waiting} not started");
            told = Instant::now();
        }
        if waiting + running == 0 {
            break false;
        }
        if arguments.kill && waiting > 0 {
            fleet.kill_one(&mut random)?;
        }
    };
    let took = begun.elapsed();
    fleet.stop(if stopped { BOUND } else { Duration::ZERO })?;
    tracker.close(BOUND).await?;

    let (wrong, twice) = (wrong_digests(database, &digests).await?, run_twice(folder.path())?);
    let killed = fleet.killed;
    println!(
        "{} operations in {:.1} s, {killed} workers killed, {wrong} wrong digests",
        arguments.operations,
        took.as_secs_f64()
    );
    let [_, running, completed, failed] = counts(&open(database, 4).await?).await?;
    println!("{completed} completed, {failed} failed, {running} running, {twice} run twice");
    if twice + wrong > 0 { Err("something ran twice or went wrong".into()) } else { Ok(()) }
}

async fn counts(tracker: &Tracker) -> Result<[u64; 4], Failed> {
    let counts = tracker.counts().await?;
    Ok(Status::ALL.map(|status| counts.of(status)))
}

/// Files to hash, and the digests that must come out.
fn make_files(folder: &Path, seed: u64) -> Result<HashMap<String, String>, Failed> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut digests = HashMap::new();
    for number in 0..FILES {
        let mut bytes = vec![0; random.usize(1_000..200_000)];
        random.fill(&mut bytes);
        fs::write(folder.join(format!("{number}.file")), &bytes)?;
        digests.insert(format!("{number}.file"), format!("{:x}", Sha256::digest(&bytes)));
    }
    Ok(digests)
}

async fn make_operations(tracker: &Tracker, count: usize) -> Result<(), Failed> {
    let mut making = JoinSet::new();
    for caller in 0..64 {
        let tracker = tracker.clone();
        making.spawn(async move {
            for number in (caller..count).step_by(64) {
                let file = format!("{}.file", number as u64 % FILES);
                tracker.create(NewOperation::new("hash").label("file", file)).await?;
            }
            Ok::<_, longrun::Error>(())
        });
    }
    while let Some(made) = making.join_next().await {
        made??;
    }
    Ok(())
}

/// The worker processes.
struct Fleet {
    workers: Vec<Child>,
    database: String,
    folder: PathBuf,
    killed: u64,
}

impl Fleet {
    fn start(arguments: &Arguments, database: &str, folder: &Path) -> Result<Self, Failed> {
        let mut fleet = Self { workers: Vec::new(), database: database.into(), folder: folder.into(), killed: 0 };
        for _ in 0..arguments.workers {
            fleet.workers.push(fleet.spawn()?);
        }
        Ok(fleet)
    }

    fn spawn(&self) -> Result<Child, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--database", &self.database, "--worker"]).arg(&self.folder);
        Ok(command.stdin(Stdio::null()).spawn()?)
    }

    /// Kills one at random and starts another.
    fn kill_one(&mut self, random: &mut fastrand::Rng) -> Result<(), Failed> {
        let another = self.spawn()?;
        let at = random.usize(..self.workers.len());
        let Some(worker) = self.workers.get_mut(at) else { return Ok(()) };
        let mut victim = std::mem::replace(worker, another);
        // One that had ended by itself was not killed.
        if victim.try_wait()?.is_none() {
            victim.kill()?;
            self.killed += 1;
        }
        victim.wait()?;
        Ok(())
    }

    /// Asks all to end and waits: they finish what they hold within the bound.
    fn stop(&mut self, bound: Duration) -> Result<(), Failed> {
        for worker in &self.workers {
            let process = rustix::process::Pid::from_child(worker);
            let _gone_already = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
        let until = Instant::now() + bound + BOUND;
        for worker in &mut self.workers {
            while worker.try_wait()?.is_none() {
                if Instant::now() > until {
                    worker.kill()?;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }
}

/// Completed operations whose result is not the digest of their file.
async fn wrong_digests(database: &str, digests: &HashMap<String, String>) -> Result<u64, Failed> {
    let tracker = open(database, 4).await?;
    let mut list = tracker.list().status(Status::Completed).limit(1_000);
    let mut wrong = 0;
    loop {
        let page = list.await?;
        let right = |operation: &&Operation| {
            let expected = operation.label("file").and_then(|file| digests.get(file));
            operation.result::<String>().ok().as_ref() == expected
        };
        wrong += (page.items.len() - page.items.iter().filter(right).count()) as u64;
        match page.next {
            Some(next) => list = tracker.list().status(Status::Completed).limit(1_000).after(next),
            None => break,
        }
    }
    tracker.close(Duration::ZERO).await?;
    Ok(wrong)
}

/// Operations that were begun more than once, by the workers' own notes.
fn run_twice(folder: &Path) -> Result<u64, Failed> {
    let mut begun: HashMap<String, u64> = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "notes") {
            for line in BufReader::new(File::open(path)?).lines() {
                *begun.entry(line?).or_default() += 1;
            }
        }
    }
    Ok(begun.values().filter(|times| **times > 1).count() as u64)
}

/// A worker process: takes what is not started until there is nothing left, or until it is asked to end.
async fn work(database: &str, folder: &Path) -> Result<(), Failed> {
    let asked = ended()?;
    let tracker = open(database, 6).await?;
    let maintaining = tokio::spawn(tracker.maintain());
    let notes = folder.join(format!("{}-{}.notes", std::process::id(), fastrand::u64(..)));
    let notes = Arc::new(OpenOptions::new().create(true).append(true).open(notes)?);
    let mut hands = JoinSet::new();
    for _ in 0..HANDS {
        let (tracker, folder, notes) = (tracker.clone(), folder.to_path_buf(), Arc::clone(&notes));
        hands.spawn(async move {
            while let Some(some) = find(&tracker).await? {
                for operation in some {
                    take(&tracker, &operation, &folder, &notes).await?;
                }
            }
            Ok::<_, Failed>(())
        });
    }
    let stopped = loop {
        tokio::select! {
            () = asked.notified() => break true,
            hand = hands.join_next() => match hand {
                Some(hand) => hand??,
                None => break false,
            },
        }
    };
    if stopped {
        // Their next claim is refused, and what they hold has the bound to end.
        tracker.close(BOUND).await?;
        hands.shutdown().await;
    } else {
        tracker.close(BOUND).await?;
    }
    maintaining.await?;
    Ok(())
}

/// Some operations that are not started, from a random place on, in random order; `None`: there are none.
async fn find(tracker: &Tracker) -> longrun::Result<Option<Vec<Operation>>> {
    let waiting = || tracker.list().status(Status::NotStarted);
    let first = waiting().limit(1).await?.items;
    let last = waiting().newest_first().limit(1).await?.items;
    let (Some(first), Some(last)) = (first.first(), last.first()) else { return Ok(None) };
    let span = (last.created() - first.created()).num_microseconds().unwrap_or(0).max(0);
    let from = first.created() + chrono::TimeDelta::microseconds(fastrand::i64(0..=span));
    let mut some = waiting().since(from).limit(32).await?.items;
    fastrand::shuffle(&mut some);
    Ok(Some(some))
}

/// Runs it, unless somebody was quicker.
async fn take(tracker: &Tracker, operation: &Operation, folder: &Path, notes: &Arc<File>) -> Result<(), Failed> {
    let path = folder.join(operation.label("file").unwrap_or_default());
    let (id, notes) = (operation.id().to_string(), Arc::clone(notes));
    let outcome = tracker
        .run(operation.id(), async move |run| {
            // One write of one line: two processes never mix, and a kill leaves it there.
            (&*notes).write_all(format!("{id}\n").as_bytes())?;
            let digest = tokio::task::spawn_blocking(move || {
                run.progress(10);
                fs::read(&path).map(|bytes| format!("{:x}", Sha256::digest(bytes)))
            });
            digest.await.map_err(std::io::Error::other)?
        })
        .await;
    match outcome {
        Ok(_) | Err(RunError::Lost(_) | RunError::Work(_)) => Ok(()),
        Err(RunError::Refused(error))
            if matches!(error.kind(), ErrorKind::IllegalTransition | ErrorKind::Terminal | ErrorKind::NotFound) =>
        {
            Ok(())
        }
        Err(RunError::Refused(error)) if error.kind() == ErrorKind::Closed => Ok(()),
        Err(error) => Err(error.to_string().into()),
    }
}
