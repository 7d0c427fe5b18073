//! The first record of an operation.

use super::{Created, ROUNDS, Tracker, contended};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{NewOperation, Operation, OperationId};
use crate::store::{Durability, Swap};

impl Tracker {
    /// Creates an operation; answers the existing one if the same call made it before (same id, type, labels,
    /// group, unique key and `retryOf`), and the one that holds its unique key.
    ///
    /// `AlreadyExists` if another operation has the id, `Invalid` if a member breaks a rule, `QuotaExceeded` if
    /// there are as many operations as may be ([`max_operations`](super::Builder::max_operations)).
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let operation = tracker.create(NewOperation::new("export").label("order", "1742")).await?;
    /// assert_eq!(operation.status(), Status::NotStarted);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn create(&self, new: NewOperation) -> Result<Operation> {
        Ok(self.create_new(new).await?.operation)
    }

    /// [`create`](Self::create), telling whether the operation is new.
    ///
    /// ```
    /// # use longrun::{NewOperation, OperationId, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let new = NewOperation::new("export").id(OperationId::derive("order", "1742"));
    /// assert!(tracker.create_new(new.clone()).await?.is_new);
    /// assert!(!tracker.create_new(new).await?.is_new);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn create_new(&self, new: NewOperation) -> Result<Created> {
        self.enter().await?;
        let _room = match self.inner.quota.room(self.store()).await {
            Err(error) if error.kind() == ErrorKind::QuotaExceeded => return self.without_room(&new, error).await,
            room => room?,
        };
        for _ in 0..ROUNDS {
            let operation = self.draft(&new)?;
            match self.store().swap(None, &operation, Durability::Immediate).await? {
                Swap::Stored => {
                    self.tell_created(&operation);
                    return Ok(Created { operation, is_new: true });
                }
                Swap::Lost(Some(existing)) => return Created::existing(&new, existing),
                Swap::Taken(holder) => return Ok(Created { operation: holder, is_new: false }),
                // It was there and is deleted, or its key was held and is free.
                Swap::Lost(None) => {}
            }
        }
        Err(contended(None))
    }

    /// The answer to a create for which there is no room: what it made before, or that there is none.
    async fn without_room(&self, new: &NewOperation, error: Error) -> Result<Created> {
        let draft = self.draft(new)?;
        if new.id.is_some()
            && let Some(existing) = self.store().load(draft.id()).await?
        {
            return Created::existing(new, existing);
        }
        Self::tell_refused(draft.id(), error.code());
        Err(error)
    }

    /// Tries an operation that has ended again, as a new one: `attempt(n + 1)` with `retryOf`, and the same type,
    /// labels, group and unique key. Again: the same new operation.
    ///
    /// `Conflict` while it has not ended.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let first = tracker.create(NewOperation::new("export").id("order-7".parse::<longrun::OperationId>()?)).await?;
    /// tracker.cancel(first.id()).await?;
    /// let second = tracker.retry(first.id()).await?;
    /// assert_eq!((second.id().to_string(), second.retry_of()), ("order-7~2".into(), Some(first.id())));
    /// assert_eq!(tracker.list().base(first.id()).await?.items.len(), 2);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn retry(&self, id: &OperationId) -> Result<Operation> {
        let failed = self.get(id).await?;
        match failed.next_attempt() {
            Ok(next) => self.create(next).await,
            Err(rejection) => Err(Error::rejected(&rejection, Some(failed))),
        }
    }

    /// The first record that [`create`](Self::create) would write. Pure but for id, birth and time.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let draft = tracker.draft(&NewOperation::new("export"))?;
    /// assert_eq!(draft.version().n(), 1);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub fn draft(&self, new: &NewOperation) -> Result<Operation> {
        let id = new.id.clone().unwrap_or_else(|| self.inner.ids.id());
        Operation::new(new, id, self.inner.ids.birth(), &self.rules(), self.now()?)
            .map_err(|rejection| Error::rejected(&rejection, None))
    }
}

impl Created {
    /// The answer to a create that finds its id taken.
    pub(crate) fn existing(new: &NewOperation, existing: Operation) -> Result<Self> {
        if new.id.is_some() && new.describes(&existing) {
            return Ok(Self { operation: existing, is_new: false });
        }
        let message = format!("another operation {} exists", existing.id());
        let error = Error::new(ErrorKind::AlreadyExists, "operationAlreadyExists", message);
        Err(error.about("id").with_current(existing))
    }
}
