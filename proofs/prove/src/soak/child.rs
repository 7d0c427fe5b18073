//! The process that serves until it is killed. It says once a second how many writes there were and how long they took;
//! `wrong` and why, where something is.
#![expect(
    clippy::disallowed_methods,
    reason = "a process of its own: writers, readers and the server are its tasks"
)]

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use longrun::clock::SystemClock;
use longrun::http::{self, Access};
use longrun::store::{Position, SledStore};
use longrun::{Failure, NewOperation, OperationId, Status, Tracker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::reopen::{chain, options, read_all};
use crate::{Outcome, print};

const WRITERS: u32 = 8;
/// What ended is kept so long.
const KEPT: Duration = Duration::from_secs(5);
/// Between two calls of one writer: a service has other things to do.
const PAUSE: Duration = Duration::from_millis(4);
/// A watcher that is told nothing for so long has missed the end.
const MISSED: Duration = Duration::from_mins(1);

type Took = Arc<Mutex<Vec<u64>>>;

pub(crate) fn run(arguments: &[String]) -> Outcome<()> {
    let [folder, seed] = arguments else { return Err("soak-child FOLDER SEED".into()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(Path::new(folder), seed.parse()?))
}

async fn serve(folder: &Path, seed: u64) -> Outcome<()> {
    let store = SledStore::open_folder(options(folder), Arc::new(SystemClock::default())).await?;
    let builder = Tracker::builder();
    let builder = builder.retention(None, Status::Completed, KEPT).retention(None, Status::Failed, KEPT);
    let tracker = builder.open_store(Arc::new(store)).await?;
    // What the last kill left.
    for problem in read_all(&tracker).await?.problems {
        wrong(&problem);
    }
    let took = Took::default();
    tokio::spawn(tracker.maintain());
    for writer in 0..WRITERS {
        watch_errors("a writer", write(tracker.clone(), seed, writer, Arc::clone(&took)));
    }
    watch_errors("the feed", follow(tracker.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = http::graph(tracker.clone(), Access::open()).path("/v1.0/operations").into();
    tokio::spawn(http::serve(listener, router).into_future());
    watch_errors("HTTP", ask(address));
    loop {
        sleep(Duration::from_secs(1)).await;
        let mut took = std::mem::take(&mut *took.lock().unwrap_or_else(PoisonError::into_inner));
        took.sort_unstable();
        let part = |of: usize| took.get(took.len() * of / 100).copied().unwrap_or(0);
        print(&format!("{} {} {}", took.len(), part(50), part(99)));
    }
}

fn wrong(what: &str) {
    print(&format!("wrong {}", what.replace('\n', " ")));
}

fn watch_errors(who: &'static str, work: impl Future<Output = Outcome<()>> + Send + 'static) {
    tokio::spawn(async move {
        let ended = work.await;
        wrong(&format!("{who}: {}", ended.err().map_or_else(|| "ended".into(), |error| chain(&*error))));
    });
}

/// Lives, one after the other, each watched to its end.
async fn write(tracker: Tracker, seed: u64, writer: u32, took: Took) -> Outcome<()> {
    let mut rng = Rng::with_seed(seed ^ u64::from(writer));
    for number in 0_u64.. {
        let id: OperationId = format!("{seed:x}-{writer}-{number}").parse()?;
        timed(&took, tracker.create(NewOperation::new("soak").id(id.clone()))).await?;
        let watched = tokio::spawn({
            let (tracker, id) = (tracker.clone(), id.clone());
            async move { tracker.wait(&id, MISSED).await }
        });
        let run = timed(&took, tracker.start(&id)).await?;
        for percent in (0..100).step_by(25) {
            timed(&took, run.progress(percent)).await?;
            sleep(PAUSE).await;
        }
        let longest = if rng.u8(..50) == 0 { 50_000 } else { 500 };
        let begun = Instant::now();
        let ended = if rng.u8(..5) == 0 {
            run.fail(Failure::new("planned", "it was planned so")).await
        } else {
            run.complete("x".repeat(rng.usize(..longest))).await
        };
        note(&took, begun);
        ended.map_err(longrun::calls::EndError::into_error)?;
        if !watched.await??.is_terminal() {
            return Err(format!("{id} has ended and its watcher was not told").into());
        }
    }
    Ok(())
}

async fn timed<T>(took: &Took, call: impl Future<Output = longrun::Result<T>>) -> longrun::Result<T> {
    let begun = Instant::now();
    let answer = call.await?;
    note(took, begun);
    Ok(answer)
}

fn note(took: &Took, begun: Instant) {
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    took.lock().unwrap_or_else(PoisonError::into_inner).push(micros);
}

/// Reads the feed to its end, again and again.
async fn follow(tracker: Tracker) -> Outcome<()> {
    let mut at = Position::START;
    loop {
        let changes = tracker.changes(&at, 500).await?;
        at = changes.next;
        if changes.at_end {
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Lists over a socket.
async fn ask(address: std::net::SocketAddr) -> Outcome<()> {
    let request = "GET /v1.0/operations?$top=20&$filter=status%20eq%20'Running' HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n";
    loop {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        timeout(MISSED, stream.read_to_end(&mut answer)).await??;
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("answered {}", String::from_utf8_lossy(&answer)).into());
        }
        sleep(Duration::from_millis(20)).await;
    }
}
