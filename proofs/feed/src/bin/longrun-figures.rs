//! `longrun-figures` measures what waiting costs and how long orphans live, on this machine.
//!
//! Memory is the growth of the resident set, over 100,000 futures that have been polled once; the last figure
//! is how long `open` takes on sled after a kill -9 with 100,000 operations Running.

#![expect(clippy::disallowed_methods, reason = "many tasks create side by side")]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use longrun::{NewOperation, Patch, Status, Tracker};

const MANY: usize = 100_000;
/// Tasks that create side by side: they share syncs.
const SIDE_BY_SIDE: usize = 2_000;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| match &*words {
        [] => runtime.block_on(measure()),
        ["hold", folder] => runtime.block_on(hold(Path::new(folder))),
        _ => Err("usage: longrun-figures".into()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this cannot be written either.
            let _ = writeln!(io::stderr(), "longrun-figures: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Bytes in memory.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1_024)
}

fn each(before: u64, after: u64) -> u64 {
    after.saturating_sub(before) / MANY as u64
}

async fn measure() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    let tracker = Tracker::builder().in_memory().await?;
    let ids = create(&tracker, false).await?;
    let one = ids.first().cloned().ok_or("none was created")?;
    let mut context = Context::from_waker(Waker::noop());
    for (what, same) in [("waiter, each of its own operation", false), ("waiter, all of one operation", true)] {
        let before = resident()?;
        let mut waits = Vec::with_capacity(MANY);
        for id in &ids {
            let mut wait = Box::pin(tracker.wait(if same { &one } else { id }, Duration::MAX));
            if wait.as_mut().poll(&mut context).is_ready() {
                return Err("an operation has ended".into());
            }
            waits.push(wait);
        }
        writeln!(out, "{what}: {} bytes ({} wait)", each(before, resident()?), tracker.watchers())?;
        let begun = Instant::now();
        drop(waits);
        writeln!(out, "  dropped in {:?}, {} wait", begun.elapsed(), tracker.watchers())?;
    }
    let before = resident()?;
    let mut watches = Vec::with_capacity(MANY);
    for id in &ids {
        watches.push(tracker.watch(id).await?);
    }
    writeln!(out, "watcher, each of its own operation: {} bytes", each(before, resident()?))?;
    drop((watches, tracker));

    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let mut child =
        Command::new(std::env::current_exe()?).arg("hold").arg(&store).stdout(Stdio::piped()).spawn()?;
    let mut ready = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut ready)?;
    child.kill()?;
    child.wait()?;
    let begun = Instant::now();
    let tracker = Tracker::open(&store).await?;
    let opened = begun.elapsed();
    let running = tracker.counts().await?.of(Status::Running);
    writeln!(
        out,
        "reopen with {MANY} Running: {} orphaned in {opened:?}, {running} still Running",
        tracker.recovery().len()
    )?;
    tracker.close(Duration::ZERO).await?;
    Ok(())
}

async fn create(tracker: &Tracker, claim: bool) -> Result<Vec<longrun::OperationId>, Box<dyn Error>> {
    type Created = tokio::task::JoinHandle<longrun::Result<Vec<longrun::OperationId>>>;
    let mut tasks: Vec<Created> = Vec::with_capacity(SIDE_BY_SIDE);
    for _ in 0..SIDE_BY_SIDE {
        let tracker = tracker.clone();
        tasks.push(tokio::spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..MANY / SIDE_BY_SIDE {
                let new = NewOperation::new("export");
                let new = if claim { new } else { new.patch(Patch::new().status(Status::Running)) };
                let id = tracker.create(new).await?.id().clone();
                if claim {
                    // Held until the process is killed.
                    std::mem::forget(tracker.start(&id).await?);
                }
                ids.push(id);
            }
            Ok::<_, longrun::Error>(ids)
        }));
    }
    let mut all = Vec::with_capacity(MANY);
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

async fn hold(folder: &Path) -> Result<(), Box<dyn Error>> {
    let tracker = Tracker::open(folder).await?;
    create(&tracker, true).await?;
    writeln!(io::stdout(), "ready")?;
    std::future::pending::<()>().await;
    Ok(())
}
