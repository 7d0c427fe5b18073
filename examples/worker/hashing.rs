//! What the worker does. `worker_http` in `examples/full` does the same and serves HTTP beside it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use longrun::{ErrorKind, NewOperation, Operation, OperationId, Reporter, RunError, Status, Tracker};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// How long one that another process has in hand is waited for: longer than it takes to find out that it died.
const ELSEWHERE: Duration = Duration::from_secs(90);
/// Operations created side by side: they share a sync.
const TOGETHER: usize = 64;
/// How long files in hand may take when the worker is asked to end.
const BOUND: Duration = Duration::from_secs(10);

/// Serves a tracker at an address until the other end of the channel is dropped.
pub(crate) type Listen =
    fn(Tracker, String, oneshot::Receiver<()>) -> Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

/// The worker, from its arguments to its exit status; `listen` is what `--listen` asks for.
pub(crate) async fn run(listen: Option<Listen>) -> ExitCode {
    match work_through(listen).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("worker: {}", with_causes(&*error));
            ExitCode::from(2)
        }
    }
}

/// An error and what caused it.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

struct Arguments {
    path: PathBuf,
    data: PathBuf,
    postgres: Option<String>,
    workers: usize,
    listen: Option<String>,
}

impl Arguments {
    fn parse() -> Result<Self, Failed> {
        let (mut path, mut data) = (None, PathBuf::from("longrun-data"));
        let (mut postgres, mut listen) = (None, None);
        let mut workers = std::thread::available_parallelism().map_or(2, usize::from);
        let mut words = std::env::args_os().skip(1);
        while let Some(word) = words.next() {
            let mut value = |name: &str| words.next().ok_or_else(|| format!("{name} needs a value"));
            match word.to_str() {
                Some("--data") => data = value("--data")?.into(),
                Some("--listen") => listen = Some(value("--listen")?.to_string_lossy().into_owned()),
                Some("--postgres") => {
                    let url = value("--postgres")?.into_string();
                    postgres = Some(url.map_err(|_| "--postgres must be a URL")?);
                }
                Some("--workers") => {
                    let text = value("--workers")?;
                    let number = text.to_str().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
                    workers = number.ok_or("--workers must be a whole number of 1 or more")?;
                }
                Some(option) if option.starts_with("--") => return Err(format!("no option {option}").into()),
                _ if path.is_none() => path = Some(PathBuf::from(word)),
                _ => return Err("one PATH only".into()),
            }
        }
        let path =
            path.ok_or("usage: worker PATH [--data DIR | --postgres URL] [--workers N] [--listen ADDRESS]")?;
        Ok(Self { path, data, postgres, workers, listen })
    }
}

async fn work_through(serve: Option<Listen>) -> Result<ExitCode, Failed> {
    let Arguments { path, data, postgres, workers, listen } = Arguments::parse()?;
    let serve = match (listen, serve) {
        (None, _) => None,
        (Some(address), Some(serve)) => Some((address, serve)),
        (Some(_), None) => {
            return Err("--listen: `cargo run -p longrun-examples --example worker_http` can do that".into());
        }
    };
    let tracker = match &postgres {
        Some(url) => on_postgres(url).await?,
        None => Tracker::open(&data).await?,
    };
    let maintaining = tokio::spawn(tracker.maintain());
    let stop = stop_on_signals(&tracker)?;
    let (ends, end) = oneshot::channel();
    let served = serve.map(|(address, serve)| {
        let serving = serve(tracker.clone(), address, end);
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                eprintln!("worker: {}", with_causes(&*error));
            }
        })
    });

    let files = files_under(&path, Some(&*data).filter(|_| postgres.is_none()))?;
    println!("{} files under {}", files.len(), path.display());
    if !tracker.recovery().is_empty() {
        println!("{} operations were running when the last process ended: orphaned", tracker.recovery().len());
    }
    let jobs = jobs_for(&tracker, files).await?;
    let again = jobs.iter().filter(|job| job.operation.retry_of().is_some() && !job.operation.is_terminal());
    println!("{} to try again", again.count());

    let todo: VecDeque<Job> = jobs.iter().filter(|job| !job.operation.is_terminal()).cloned().collect();
    // What failed before has a next attempt: all that has ended is completed.
    let (mut completed, mut failed) = (jobs.len() - todo.len(), 0);
    let screen = Arc::new(Screen::new(todo.len()));
    let todo = Arc::new(Mutex::new(todo));
    let mut running = JoinSet::new();
    for _ in 0..workers {
        let (tracker, todo, screen, stop) =
            (tracker.clone(), Arc::clone(&todo), Arc::clone(&screen), Arc::clone(&stop));
        running.spawn(async move {
            let (mut completed, mut failed) = (0, 0);
            while !stop.asked.load(Ordering::Relaxed) {
                let next = todo.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(job) = next else { break };
                match work(&tracker, job, &screen).await? {
                    Some(true) => completed += 1,
                    Some(false) => failed += 1,
                    None => {}
                }
            }
            Ok::<_, longrun::Error>((completed, failed))
        });
    }
    while let Some(ended) = running.join_next().await {
        let (well, badly) = ended??;
        (completed, failed) = (completed + well, failed + badly);
    }
    screen.finish();
    // Who asked for the end of the last file hears that it was asked.
    drop(ends);
    tracker.close(BOUND).await?;
    maintaining.await?;
    if let Some(served) = served {
        // A client that reads nothing keeps nobody here.
        drop(tokio::time::timeout(BOUND, served).await);
    }
    println!("{completed} completed, {failed} failed, {} not started", jobs.len() - completed - failed);
    let is_well = completed == jobs.len() || stop.terminated.load(Ordering::Relaxed);
    Ok(ExitCode::from(u8::from(!is_well)))
}

#[cfg(feature = "postgres")]
async fn on_postgres(url: &str) -> Result<Tracker, Failed> {
    let pool = sqlx::postgres::PgPoolOptions::new().connect(url).await?;
    let store = longrun::store::PostgresStore::connect(pool).await?;
    Ok(Tracker::builder().open_store(Arc::new(store)).await?)
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
async fn on_postgres(_url: &str) -> Result<Tracker, Failed> {
    Err("this was built without PostgreSQL: build it with --features postgres".into())
}

/// A file and its newest operation.
#[derive(Clone)]
struct Job {
    path: PathBuf,
    operation: Operation,
}

/// One operation for each file: the newest attempt, or the next one where that has failed.
async fn jobs_for(tracker: &Tracker, files: Vec<PathBuf>) -> Result<Vec<Job>, Failed> {
    let mut jobs = Vec::with_capacity(files.len());
    for some in files.chunks(TOGETHER) {
        let mut making = JoinSet::new();
        for path in some {
            let (tracker, path) = (tracker.clone(), path.clone());
            making.spawn(async move { job_for(&tracker, path).await });
        }
        while let Some(made) = making.join_next().await {
            jobs.push(made??);
        }
    }
    jobs.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(jobs)
}

async fn job_for(tracker: &Tracker, path: PathBuf) -> longrun::Result<Job> {
    let first = OperationId::derive("file", path.as_os_str().as_encoded_bytes());
    let new = || NewOperation::new("hash").label("file", label(&path));
    let mut newest = tracker.create(new().id(first.clone())).await?;
    for attempt in 2.. {
        match tracker.get(&first.attempt(attempt)?).await {
            Ok(later) => newest = later,
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    if newest.status() == Status::Failed {
        let next = newest.id().attempt(newest.id().attempt_number() + 1)?;
        newest = tracker.create(new().id(next).retry_of(newest.id().clone())).await?;
    }
    Ok(Job { path, operation: newest })
}

/// A path as a label: at most 256 characters, its end, without control characters.
fn label(path: &Path) -> String {
    let text = path.to_string_lossy();
    let start = text.chars().count().saturating_sub(256);
    text.chars().skip(start).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Runs one job: whether it completed; `None` if it was not started because the worker stops.
async fn work(tracker: &Tracker, job: Job, screen: &Screen) -> longrun::Result<Option<bool>> {
    let bar = screen.begin(&job.path);
    let path = job.path.clone();
    let shown = bar.clone();
    let ended = tracker
        .run(job.operation.id(), move |reporter| async move {
            // A thread is not dropped with the future that waits for it: it is told.
            let dropped = OnDrop::default();
            let over = Arc::clone(&dropped.0);
            let hashing = tokio::task::spawn_blocking(move || hash(&path, &reporter, &shown, &over));
            hashing.await.map_err(io::Error::other)?
        })
        .await;
    let line = match ended {
        Ok(digest) => {
            screen.end(&bar, &format!("completed {} {digest}", job.path.display()));
            return Ok(Some(true));
        }
        Err(RunError::Refused(error)) if error.kind() == ErrorKind::Closed => {
            screen.bars.remove(&bar);
            return Ok(None);
        }
        Err(RunError::Work(error)) => format!("failed {}: {error}", job.path.display()),
        Err(RunError::Lost(operation)) => {
            let code = operation.failure().map_or("", longrun::Failure::code);
            format!("failed {}: ended as {} {code}", job.path.display(), operation.status())
        }
        Err(RunError::Refused(error))
            if matches!(error.kind(), ErrorKind::IllegalTransition | ErrorKind::Terminal) =>
        {
            // Another process has it in hand, or had.
            let ended = match tracker.wait(job.operation.id(), ELSEWHERE).await {
                Err(error) if error.kind() == ErrorKind::Closed => return Ok(None),
                ended => ended?.status(),
            };
            screen.end(&bar, &format!("elsewhere {}: {ended}", job.path.display()));
            return Ok(ended.is_terminal().then_some(ended == Status::Completed));
        }
        Err(RunError::Refused(error) | RunError::Unrecorded { error, .. }) => return Err(error),
        Err(error) => format!("failed {}: {error}", job.path.display()),
    };
    screen.end(&bar, &line);
    Ok(Some(false))
}

/// Says so when it is dropped.
#[derive(Default)]
struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The file's SHA-256, in hexadecimal.
fn hash(path: &Path, reporter: &Reporter, bar: &ProgressBar, over: &AtomicBool) -> io::Result<String> {
    let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(about)?;
    let size = file.metadata().map_err(about)?.len();
    bar.set_length(size);
    let (mut hasher, mut done, mut block) = (Sha256::new(), 0, vec![0; 256 * 1024]);
    while !over.load(Ordering::Relaxed) {
        let read = file.read(&mut block).map_err(about)?;
        if read == 0 {
            break;
        }
        hasher.update(block.get(..read).unwrap_or_default());
        done += read as u64;
        bar.set_position(done);
        reporter.progress(u8::try_from(done.saturating_mul(100) / size.max(1)).unwrap_or(100));
    }
    Ok(format!("{:x}", hasher.finalize()))
}

/// Every regular file under a folder, in order, the worker's own data left out.
fn files_under(path: &Path, data: Option<&Path>) -> Result<Vec<PathBuf>, Failed> {
    let about = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let data = data.map(fs::canonicalize).transpose()?;
    let (mut files, mut folders) = (Vec::new(), vec![path.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        if fs::metadata(&folder).map_err(|error| about(&folder, error))?.is_file() {
            files.push(folder);
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(|error| about(&folder, error))? {
            let entry = entry.map_err(|error| about(&folder, error))?;
            let kind = entry.file_type().map_err(|error| about(&entry.path(), error))?;
            if kind.is_dir() {
                if data.is_none() || fs::canonicalize(entry.path()).ok() != data {
                    folders.push(entry.path());
                }
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// How the worker is asked to stop.
#[derive(Default)]
struct Stop {
    asked: AtomicBool,
    terminated: AtomicBool,
}

/// The first Ctrl-C asks to stop, a second one exits at once; SIGTERM closes within its bound.
fn stop_on_signals(tracker: &Tracker) -> io::Result<Arc<Stop>> {
    let stop = Arc::new(Stop::default());
    let asked = Arc::clone(&stop);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if asked.asked.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("finishing the files in hand; Ctrl-C again to leave at once");
        }
    });
    #[cfg(unix)]
    {
        let (stop, tracker) = (Arc::clone(&stop), tracker.clone());
        let mut signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::spawn(async move {
            signal.recv().await;
            stop.terminated.store(true, Ordering::Relaxed);
            stop.asked.store(true, Ordering::Relaxed);
            // The worker closes it too, and tells what is wrong then.
            drop(tracker.close(BOUND).await);
        });
    }
    Ok(stop)
}

/// Bars on a terminal, lines elsewhere.
struct Screen {
    bars: MultiProgress,
    total: ProgressBar,
    terminal: bool,
}

impl Screen {
    fn new(files: usize) -> Self {
        let terminal = io::stdout().is_terminal();
        let target = if terminal { ProgressDrawTarget::stdout() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(ProgressBar::new(files as u64));
        total.set_style(style("{bar:40} {pos}/{len} files, {per_sec}, {eta} left"));
        Self { bars, total, terminal }
    }

    fn begin(&self, path: &Path) -> ProgressBar {
        let bar = self.bars.insert_before(&self.total, ProgressBar::new(0));
        bar.set_style(style("{bar:20} {bytes}/{total_bytes} {msg}"));
        bar.set_message(path.display().to_string());
        bar
    }

    fn end(&self, bar: &ProgressBar, line: &str) {
        self.bars.remove(bar);
        self.total.inc(1);
        if !self.terminal {
            println!("{line}");
        } else if line.starts_with("failed") {
            self.total.suspend(|| println!("{line}"));
        }
    }

    fn finish(&self) {
        self.total.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
