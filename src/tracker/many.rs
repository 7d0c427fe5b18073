//! Many changes in one call, side by side: they share syncs. Each stands for itself.

use std::collections::HashMap;

use super::future::{Boxed, all};
use super::{STEP, Tracker};
use crate::error::Result;
use crate::model::{NewOperation, Operation, OperationId, Patch};

impl Tracker {
    /// [`create`](Self::create) for each: one result per item, in their order. Not atomic: what is refused
    /// stops none of the others.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let all = tracker.create_many((0..3).map(|page| NewOperation::new("scan").label("page", page.to_string()))).await;
    /// assert_eq!(all.into_iter().collect::<longrun::Result<Vec<_>>>()?.len(), 3);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn create_many(&self, all_new: impl IntoIterator<Item = NewOperation>) -> Vec<Result<Operation>> {
        let mut all_new: Vec<_> = all_new.into_iter().collect();
        let mut results = Vec::with_capacity(all_new.len());
        while !all_new.is_empty() {
            let step = all_new.drain(..all_new.len().min(STEP));
            let creating: Vec<Boxed<'_, _>> = step.map(|new| Box::pin(self.create(new)) as Boxed<'_, _>).collect();
            results.extend(all(creating).await);
        }
        results
    }

    /// [`patch`](Self::patch) for each: one result per item, in their order. Patches of one operation are
    /// applied one after the other. Not atomic: what is refused stops none of the others.
    ///
    /// ```
    /// # use longrun::{NewOperation, Patch, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let id = tracker.create(NewOperation::new("scan")).await?.id().clone();
    /// let patches = [Patch::new().status(Status::Running), Patch::new().status(Status::Completed)];
    /// let all = tracker.patch_many(patches.map(|patch| (id.clone(), patch))).await;
    /// assert!(all.iter().all(Result::is_ok));
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn patch_many(
        &self,
        patches: impl IntoIterator<Item = (OperationId, Patch)>,
    ) -> Vec<Result<Operation>> {
        let mut lists: Vec<(OperationId, Vec<(usize, Patch)>)> = Vec::new();
        let mut list_of = HashMap::new();
        for (place, (id, patch)) in patches.into_iter().enumerate() {
            let list = *list_of.entry(id.clone()).or_insert(lists.len());
            match lists.get_mut(list) {
                Some((_, list)) => list.push((place, patch)),
                None => lists.push((id, vec![(place, patch)])),
            }
        }
        let mut results = Vec::new();
        while !lists.is_empty() {
            let step = lists.drain(..lists.len().min(STEP));
            let patching: Vec<Boxed<'_, _>> =
                step.map(|(id, list)| Box::pin(self.patch_in_turn(id, list)) as Boxed<'_, _>).collect();
            results.extend(all(patching).await.into_iter().flatten());
        }
        results.sort_unstable_by_key(|(place, _)| *place);
        results.into_iter().map(|(_, result)| result).collect()
    }

    async fn patch_in_turn(&self, id: OperationId, list: Vec<(usize, Patch)>) -> Vec<(usize, Result<Operation>)> {
        let mut results = Vec::with_capacity(list.len());
        for (place, patch) in list {
            results.push((place, self.patch(&id, patch).await));
        }
        results
    }
}
