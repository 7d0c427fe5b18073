//! The end of a record.

use super::{ROUNDS, Tracker, contended};
use crate::error::{Error, Result};
use crate::model::{OperationId, Precondition};
use crate::store::Swap;

impl Tracker {
    /// Deletes an operation that has ended. `Conflict` while it is active.
    ///
    /// ```
    /// # use longrun::{ErrorKind, NewOperation, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let id = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// assert_eq!(tracker.delete(&id).await.unwrap_err().kind(), ErrorKind::Conflict);
    /// tracker.cancel(&id).await?;
    /// tracker.delete(&id).await?;
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn delete(&self, id: &OperationId) -> Result<()> {
        self.delete_if(id, &Precondition::none()).await
    }

    pub(crate) async fn delete_if(&self, id: &OperationId, precondition: &Precondition) -> Result<()> {
        self.enter().await?;
        let mut current = self.store().load(id).await?.ok_or_else(|| Error::not_found(id))?;
        for _ in 0..ROUNDS {
            if let Err(rejection) = current.check_delete(precondition) {
                return Err(Error::rejected(&rejection, Some(current)));
            }
            match self.store().remove(id, current.version()).await? {
                Swap::Stored => {
                    self.tell_deleted(&current);
                    return Ok(());
                }
                Swap::Lost(Some(winner)) => current = winner,
                // Only a create is answered Taken.
                Swap::Lost(None) | Swap::Taken(_) => return Err(Error::not_found(id)),
            }
        }
        Err(contended(Some(current)))
    }
}
