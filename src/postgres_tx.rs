//! The user's own transaction and a tracker's rules together: an operation is created, or changes, if and
//! only if the user's own rows do.

use sqlx::PgConnection;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{NewOperation, Operation, OperationId, Patch};
use crate::store::{PostgresStore, Store as _, Swap};
use crate::tracker::{Created, Tracker};

/// Lost races in a row. The first one locks the row, so that a second one says that something is wrong.
const ROUNDS: u8 = 16;

/// [`Tracker::create_new`] in the connection's transaction: there is an operation if and only if it commits.
///
/// What the answer says holds within the transaction; nobody else sees the operation before the commit. An
/// error of the store may have aborted the transaction, a refusal has not.
///
/// ```no_run
/// # use longrun::store::PostgresStore;
/// # use longrun::{NewOperation, Tracker, postgres};
/// # async fn order(tracker: Tracker, store: PostgresStore, pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// let mut transaction = pool.begin().await?;
/// sqlx::query("INSERT INTO orders (number) VALUES (1742)").execute(&mut *transaction).await?;
/// let new = NewOperation::new("export").label("order", "1742");
/// let export = postgres::create_in(&tracker, &store, &mut transaction, &new).await?.operation;
/// transaction.commit().await?; // both, or neither
/// # drop(export);
/// # Ok(()) }
/// ```
///
/// `Unsupported` if the tracker was opened over another store.
pub async fn create_in(
    tracker: &Tracker,
    store: &PostgresStore,
    connection: &mut PgConnection,
    new: &NewOperation,
) -> Result<Created> {
    check(tracker, store)?;
    for _ in 0..ROUNDS {
        let operation = tracker.draft(new)?;
        match store.swap_in(connection, None, &operation).await? {
            Swap::Stored => return Ok(Created { operation, is_new: true }),
            Swap::Lost(Some(existing)) => return Created::existing(new, existing),
            Swap::Taken(holder) => return Ok(Created { operation: holder, is_new: false }),
            // It was there and is deleted, or its key was held and is free.
            Swap::Lost(None) => {}
        }
    }
    Err(contended())
}

/// [`Tracker::patch`] in the connection's transaction: the operation changes if and only if it commits.
///
/// The operation's row stays locked until then: keep the transaction short. Refusals leave the transaction
/// as it was; an error of the store may have aborted it.
///
/// ```no_run
/// # use longrun::store::PostgresStore;
/// # use longrun::{OperationId, Patch, Tracker, postgres};
/// # async fn pay(tracker: Tracker, store: PostgresStore, pool: sqlx::PgPool, id: OperationId) -> Result<(), Box<dyn std::error::Error>> {
/// let mut transaction = pool.begin().await?;
/// sqlx::query("UPDATE orders SET paid = true WHERE number = 1742").execute(&mut *transaction).await?;
/// postgres::patch_in(&tracker, &store, &mut transaction, &id, &Patch::complete(None)).await?;
/// transaction.commit().await?;
/// # Ok(()) }
/// ```
///
/// `Unsupported` if the tracker was opened over another store.
pub async fn patch_in(
    tracker: &Tracker,
    store: &PostgresStore,
    connection: &mut PgConnection,
    id: &OperationId,
    patch: &Patch,
) -> Result<Operation> {
    check(tracker, store)?;
    let mut current = store.load_in(connection, id).await?.ok_or_else(|| Error::not_found(id))?;
    for _ in 0..ROUNDS {
        let Some(next) = tracker.decide(&current, patch)? else { return Ok(current) };
        match store.swap_in(connection, Some(current.version()), &next).await? {
            Swap::Stored => return Ok(next),
            Swap::Lost(Some(winner)) => current = winner,
            // Only a create is answered Taken.
            Swap::Lost(None) | Swap::Taken(_) => return Err(Error::not_found(id)),
        }
    }
    Err(contended().with_current(current))
}

/// The instance that writes is the tracker's: its claims would be taken for another process's otherwise.
fn check(tracker: &Tracker, store: &PostgresStore) -> Result<()> {
    if tracker.opened() == store.opened() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "storeUnsupported", "the tracker was opened over another store"))
}

fn contended() -> Error {
    let message = format!("lost {ROUNDS} races in a row inside a transaction");
    Error::new(ErrorKind::Contended, "contended", message)
}
