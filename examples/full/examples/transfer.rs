//! Moves every operation between a folder of sled, a file, and a PostgreSQL database.
//!
//! ```text
//! $ cargo run -p longrun-examples --example transfer -- export --data longrun-data FILE
//! 300 operations in FILE, 300 of them new, 0 deleted
//! $ cargo run -p longrun-examples --example transfer -- import --postgres postgres://localhost/jobs FILE
//! 300 operations: 300 written, 0 there already, 2 orphaned; 298 read again and the same
//! ```
//!
//! The same is backup and restore. Broken off, it goes on when it is called again.

#![expect(clippy::print_stdout, reason = "an example talks to people")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use longrun::clock::SystemClock;
use longrun::store::{PostgresStore, SledOptions, SledStore, Store};
use longrun::transfer::{export, import};
use sqlx::postgres::PgPoolOptions;

const USAGE: &str = "transfer export|import (--data DIR | --postgres URL) FILE";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [verb, option, place, file] = words.as_slice() else { return Err(USAGE.into()) };
    let store: Arc<dyn Store> = match &**option {
        "--data" => {
            let clock = Arc::new(SystemClock::default());
            Arc::new(SledStore::open_folder(SledOptions::new(place), clock).await?)
        }
        "--postgres" => Arc::new(PostgresStore::connect(PgPoolOptions::new().connect(place).await?).await?),
        _ => return Err(USAGE.into()),
    };
    let (store, file) = (&*store, Path::new(file));
    match &**verb {
        "export" => {
            let made = export(store, file).await?;
            let (all, new, gone) = (made.operations, made.written, made.deletions);
            println!("{all} operations in {}, {new} of them new, {gone} deleted", file.display());
        }
        "import" => {
            let made = import(store, file).await?;
            println!(
                "{} operations: {} written, {} there already, {} orphaned; {} read again and the same",
                made.operations, made.written, made.there, made.orphaned, made.verified
            );
        }
        _ => return Err(USAGE.into()),
    }
    Ok(store.close().await?)
}
