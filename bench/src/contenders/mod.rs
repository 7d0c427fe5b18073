//! One contender a file, and the list of their names.

pub mod bare_socket;
pub mod client;
#[cfg(feature = "rivals")]
pub mod fjall;
pub mod http;
pub mod log;
pub mod longrun;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "rivals")]
pub mod redb;
pub mod sled_transaction;
#[cfg(feature = "rivals")]
pub mod sqlite;

use anyhow::{Result, bail};

#[cfg(feature = "rivals")]
use crate::group::Grouped;
use crate::{
    job::{Job, Measurement},
    works::{self, Work},
};

/// The log that every ratio is taken to.
pub const LOG: &str = "log";

/// The log over blocks written beforehand.
pub const CEILING: &str = "log-preallocated";

/// Ours, called in the same process: what the same over HTTP is compared with.
pub const LIBRARY: &str = "longrun-sled";

/// Ours over HTTP.
pub const HTTP: &str = "longrun-http";

/// The sockets and the client that the above is asked through, without a server behind them.
pub const BARE: &str = "bare-socket";

/// The contenders that this build holds, in the order of the table.
pub const NAMES: &[&str] = &[
    CEILING,
    LOG,
    LIBRARY,
    "longrun-memory",
    "sled-transaction",
    HTTP,
    BARE,
    #[cfg(feature = "rivals")]
    "longrun-postgres",
    #[cfg(feature = "rivals")]
    "postgres",
    #[cfg(feature = "rivals")]
    "sqlite",
    #[cfg(feature = "rivals")]
    "redb",
    #[cfg(feature = "rivals")]
    "fjall",
    #[cfg(feature = "rivals")]
    "rustqueue",
    #[cfg(feature = "rivals")]
    "rustqueue-coalesced",
    #[cfg(feature = "rivals")]
    "effectum",
    #[cfg(feature = "rivals")]
    "apalis-sqlite",
    #[cfg(feature = "rivals")]
    "underway",
    #[cfg(feature = "rivals")]
    "graphile-worker",
];

/// Whether a contender can do a work: the peers hand out jobs themselves, a job's own moves are not theirs to offer.
#[must_use]
pub fn takes_part(contender: &str, work: Work) -> bool {
    let is_over_sockets = matches!(contender, HTTP | BARE);
    if work == Work::Http || is_over_sockets {
        return work == Work::Http && (is_over_sockets || contender == LIBRARY);
    }
    let is_peer = matches!(
        contender,
        "rustqueue" | "rustqueue-coalesced" | "effectum" | "apalis-sqlite" | "underway" | "graphile-worker"
    );
    // These two reopen a folder, and a private server's is gone with the server.
    let is_server = matches!(contender, "longrun-postgres" | "postgres");
    let reopens = matches!(work, Work::Growth | Work::Churn);
    (work == Work::Lifecycle || !is_peer) && !(is_server && reopens)
}

/// Makes the measurement with the contender that the job names.
///
/// # Errors
/// No such contender here, or its own errors.
pub async fn measure(job: &Job) -> Result<Measurement> {
    match job.contender.as_str() {
        LOG => works::run::<log::Log<false>>(job).await,
        CEILING => works::run::<log::Log<true>>(job).await,
        LIBRARY => works::run::<longrun::Longrun<{ longrun::SLED }>>(job).await,
        "longrun-memory" => works::run::<longrun::Longrun<{ longrun::MEMORY }>>(job).await,
        "sled-transaction" => works::run::<sled_transaction::SledTransaction>(job).await,
        HTTP => works::run::<http::Http>(job).await,
        BARE => works::run::<bare_socket::BareSocket>(job).await,
        #[cfg(feature = "rivals")]
        "longrun-postgres" => works::run::<longrun::Longrun<{ longrun::POSTGRES }>>(job).await,
        #[cfg(feature = "rivals")]
        "postgres" => works::run::<postgres::Postgres>(job).await,
        #[cfg(feature = "rivals")]
        "sqlite" => works::run::<Grouped<sqlite::Sqlite>>(job).await,
        #[cfg(feature = "rivals")]
        "redb" => works::run::<Grouped<redb::Redb>>(job).await,
        #[cfg(feature = "rivals")]
        "fjall" => works::run::<Grouped<fjall::Fjall>>(job).await,
        other => bail!("no contender {other} in this build"),
    }
}
