//! What the PostgreSQL store costs as it grows: `scripts/scale 100000 1000000`.
//!
//! At each number of operations: creates and moves by 64 callers, reads by one, the share of updates that
//! touch no index (HOT), bytes of log for a move, what vacuum has to clean and whether it keeps up.

#![expect(clippy::print_stdout, reason = "a command talks to people")]
#![expect(clippy::disallowed_methods, reason = "callers are tasks")]

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longrun::store::PostgresStore;
use longrun::{NewOperation, OperationId, Patch, Status, Tracker};
use longrun_checks_postgres::{Server, Settings, pool_options};
use sqlx::PgPool;
use tokio::task::JoinSet;

type Failed = Box<dyn Error + Send + Sync>;

const CALLERS: usize = 64;
const WINDOW: Duration = Duration::from_secs(8);
/// Reads that a median is made of.
const READS: usize = 200;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let sizes: Result<Vec<usize>, _> = std::env::args().skip(1).map(|size| size.parse()).collect();
    let mut sizes = sizes.map_err(|_| "usage: scale SIZE..")?;
    if sizes.is_empty() {
        sizes = vec![100_000, 1_000_000];
    }
    let lines = ["shared_buffers = 512MB", "max_wal_size = 4GB", "autovacuum_naptime = 10s"];
    let server = Server::try_start(&Settings { lines: lines.map(Into::into).into(), port: None })?;
    let way = server.database().await;
    let pool = pool_options(16).connect_with(way.clone()).await?;
    let admin = pool_options(2).connect_with(way).await?;
    let store = PostgresStore::connect(pool).await?;
    let tracker = Tracker::builder().open_store(Arc::new(store)).await?;
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&admin).await?;
    println!("PostgreSQL {version}, synchronous_commit = on, {CALLERS} callers, a pool of 16 connections");
    println!(
        "| operations | creates/s | moves/s | get us | page of 100 us | counts us | HOT % of moves | HOT % of progress | log bytes a move | bytes an operation | dead rows after | vacuums |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut ids = Vec::new();
    for size in sizes {
        fill(&tracker, &mut ids, size).await?;
        sqlx::raw_sql("VACUUM (ANALYZE)").execute(&admin).await?;
        measure(&tracker, &admin, &mut ids, size).await?;
    }
    tracker.close(Duration::ZERO).await?;
    Ok(())
}

/// Creates until there are so many.
async fn fill(tracker: &Tracker, ids: &mut Vec<OperationId>, size: usize) -> Result<(), Failed> {
    let missing = size.saturating_sub(ids.len());
    let mut makers = JoinSet::new();
    for caller in 0..CALLERS * 4 {
        let share = missing / (CALLERS * 4) + usize::from(caller < missing % (CALLERS * 4));
        let tracker = tracker.clone();
        makers.spawn(async move {
            let mut made = Vec::with_capacity(share);
            for _ in 0..share {
                made.push(tracker.create(NewOperation::new("export")).await?.id().clone());
            }
            Ok::<_, longrun::Error>(made)
        });
    }
    while let Some(made) = makers.join_next().await {
        ids.extend(made??);
    }
    Ok(())
}

/// Calls by all callers for a while, each with its share of the ids; how many ended, and in what time.
async fn many<F, Fut>(ids: &[OperationId], call: F) -> Result<(usize, f64), Failed>
where
    F: Fn(OperationId) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = longrun::Result<()>> + Send,
{
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let share: Vec<_> = ids.iter().skip(caller).step_by(CALLERS).cloned().collect();
        let call = call.clone();
        callers.spawn(async move {
            let mut made = 0;
            for id in share {
                if begun.elapsed() >= WINDOW {
                    break;
                }
                call(id).await?;
                made += 1;
            }
            Ok::<usize, longrun::Error>(made)
        });
    }
    let mut made = 0;
    while let Some(ended) = callers.join_next().await {
        made += ended??;
    }
    Ok((made, begun.elapsed().as_secs_f64()))
}

/// The median of many calls one after another, in microseconds.
async fn median<Fut: Future<Output = longrun::Result<()>>>(mut call: impl FnMut() -> Fut) -> Result<u128, Failed> {
    let mut times = Vec::with_capacity(READS);
    for _ in 0..READS {
        let begun = Instant::now();
        call().await?;
        times.push(begun.elapsed().as_micros());
    }
    times.sort_unstable();
    Ok(times.get(READS / 2).copied().unwrap_or_default())
}

/// Updates, and those of them that touched no index.
async fn updates(admin: &PgPool) -> Result<(i64, i64), Failed> {
    // A backend tells its figures at most every second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let sql = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'operation'";
    Ok(sqlx::query_as(sql).fetch_one(admin).await?)
}

async fn log_position(admin: &PgPool) -> Result<i64, Failed> {
    let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint";
    Ok(sqlx::query_scalar(sql).fetch_one(admin).await?)
}

fn percent((updates, hot): (i64, i64), (before, hot_before): (i64, i64)) -> i64 {
    (hot - hot_before) * 100 / (updates - before).max(1)
}

async fn measure(tracker: &Tracker, admin: &PgPool, ids: &mut [OperationId], size: usize) -> Result<(), Failed> {
    shuffle(ids);
    let begun = updates(admin).await?;
    let log = log_position(admin).await?;
    // Twice as many as one window takes are left for the second move.
    let mover = tracker.clone();
    let (moves, moving) = many(ids, move |id| {
        let mover = mover.clone();
        async move {
            let current = mover.get(&id).await?;
            let patch = match current.status() {
                Status::NotStarted => Patch::new().status(Status::Running),
                Status::Running => Patch::complete(None),
                Status::Completed | Status::Failed => return Ok(()),
            };
            mover.patch(&id, patch).await.map(drop)
        }
    })
    .await?;
    let log = log_position(admin).await? - log;
    let moved = updates(admin).await?;
    let reporter = tracker.clone();
    let running: Vec<_> =
        tracker.list().status(Status::Running).limit(1_000).await?.items.iter().map(|op| op.id().clone()).collect();
    let again: Vec<_> = running.iter().cycle().take(running.len() * 20).cloned().collect();
    many(&again, move |id| {
        let reporter = reporter.clone();
        async move { reporter.heartbeat(&id).await.map(drop) }
    })
    .await?;
    let reported = updates(admin).await?;

    let (maker, fresh) = (tracker.clone(), vec![OperationId::derive("scale", "none"); 2_000_000]);
    let (creates, creating) = many(&fresh, move |_| {
        let maker = maker.clone();
        async move { maker.create(NewOperation::new("import")).await.map(drop) }
    })
    .await?;
    let mut at = ids.iter().cycle();
    let get = median(|| {
        let id = at.next().cloned();
        async move {
            match id {
                Some(id) => tracker.get(&id).await.map(drop),
                None => Ok(()),
            }
        }
    })
    .await?;
    let page = median(|| async { tracker.list().status(Status::NotStarted).limit(100).await.map(drop) }).await?;
    let counts = median(|| async { tracker.counts().await.map(drop) }).await?;
    let sizes = "SELECT sum(pg_total_relation_size(relid))::bigint, sum(n_dead_tup)::bigint, sum(autovacuum_count)::bigint \
        FROM pg_stat_user_tables WHERE relname IN ('operation', 'feed', 'label', 'tally')";
    let (bytes, dead, vacuums): (i64, i64, i64) = sqlx::query_as(sizes).fetch_one(admin).await?;
    println!(
        "| {size} | {:.0} | {:.0} | {get} | {page} | {counts} | {} | {} | {} | {} | {dead} | {vacuums} |",
        per_second(creates, creating),
        per_second(moves, moving),
        percent(moved, begun),
        percent(reported, moved),
        log / i64::try_from(moves.max(1))?,
        bytes / i64::try_from(size + creates)?,
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// In an order that has nothing to do with when they were made: a walk by a step that shares no factor.
fn shuffle(ids: &mut [OperationId]) {
    let length = ids.len();
    for at in (1..length).rev() {
        ids.swap(at, at.wrapping_mul(2_654_435_761) % (at + 1));
    }
}
