//! The public suite. Each place has a server of its own while it lives, for open transactions anywhere in a
//! cluster hold up every feed in it.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use longrun::OperationId;
use longrun::conformance::{Hold, Opener, Place};
use longrun::store::{PostgresOptions, PostgresStore, Store, StoreError};
use longrun_checks_postgres::{Held, Server, Settings, pool_options};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

/// Servers that no place uses at the moment.
static IDLE: Mutex<Vec<Arc<Server>>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct PostgresOpener;

#[derive(Debug)]
struct Database {
    server: Arc<Server>,
    way: PgConnectOptions,
    /// Of this process as the suite sees it; a crash takes them all.
    open: Mutex<Vec<(PostgresStore, PgPool)>>,
    admin: PgPool,
}

#[async_trait]
impl Opener for PostgresOpener {
    async fn place(&self) -> Result<Box<dyn Place>, Box<dyn StdError + Send + Sync>> {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // Vacuum's own transactions would hold up the feed now and then.
        let settings = Settings { lines: vec!["autovacuum = off".into()], port: None };
        let server = idle.unwrap_or_else(|| Arc::new(Server::start_with(&settings)));
        let way = server.database().await;
        let admin = pool_options(2).connect_lazy_with(way.clone());
        Ok(Box::new(Database { server, way, open: Mutex::default(), admin }))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&self.server));
    }
}

#[async_trait]
impl Place for Database {
    async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let pool = pool_options(8).connect_lazy_with(self.way.clone());
        // A machine that stands still for a while is no failure.
        let options = PostgresOptions::default().patience(Duration::from_mins(10));
        let store = PostgresStore::connect_with(pool.clone(), options).await?;
        self.open.lock().unwrap().push((store.clone(), pool));
        Ok(Arc::new(store))
    }

    async fn pass(&self, time: Duration) -> bool {
        for table in ["operation SET written = written", "instance SET seen = seen"] {
            let shift = format!("UPDATE longrun.{table} - make_interval(secs => $1)");
            let shift = sqlx::query(sqlx::AssertSqlSafe(shift)).bind(time.as_secs_f64());
            shift.execute(&self.admin).await.unwrap();
        }
        // Those that live say so.
        let open: Vec<_> = self.open.lock().unwrap().iter().map(|(store, _)| store.clone()).collect();
        for store in open {
            match store.maintain_now().await {
                Ok(()) | Err(StoreError::Closed) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        true
    }

    async fn crash(&self) -> bool {
        let gone = std::mem::take(&mut *self.open.lock().unwrap());
        for (_, pool) in &gone {
            // Marks it closed at once; what it has lent out ends with the server.
            drop(pool.close());
        }
        self.server.kill().unwrap();
        self.server.up().unwrap();
        true
    }

    fn hold(&self) -> Option<Box<dyn Hold>> {
        let server = Arc::clone(&self.server);
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (held, holds) = std::sync::mpsc::channel();
        let keeper = std::thread::spawn(move || {
            let guard = Held::start(&server).unwrap();
            held.send(()).unwrap();
            let _released = released.recv();
            drop(guard);
        });
        holds.recv().unwrap();
        Some(Box::new(Holding { release: Some(release), keeper: Some(keeper), admin: self.admin.clone() }))
    }

    async fn spoil(&self, id: &OperationId) -> bool {
        let flip =
            "UPDATE longrun.operation SET record = set_byte(record, 20, get_byte(record, 20) # 1) WHERE id = $1";
        let done = sqlx::query(flip).bind(id.to_string()).execute(&self.admin).await.unwrap();
        done.rows_affected() == 1
    }
}

#[derive(Debug)]
struct Holding {
    release: Option<std::sync::mpsc::Sender<()>>,
    keeper: Option<std::thread::JoinHandle<()>>,
    admin: PgPool,
}

#[async_trait]
impl Hold for Holding {
    async fn reached(&self) {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
            WHERE wait_event = 'SyncRep' AND datname = current_database()";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&self.admin).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(keeper) = self.keeper.take() {
            keeper.join().unwrap();
        }
    }
}

longrun::conformance_tests!(PostgresOpener);
