//! Where ids and births come from, injected.

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::model::OperationId;

/// Draws the names of operations, and the 64 random bits that tell one life of a name from the next.
pub trait IdSource: Debug + Send + Sync + 'static {
    /// A new id; must not repeat.
    fn id(&self) -> OperationId;

    /// 64 random bits.
    fn birth(&self) -> u64;
}

/// UUIDv7 ids, which sort by time; births from the system's randomness.
#[derive(Debug, Default)]
pub struct SystemIds {
    drawn: AtomicU64,
    /// SipHash under a key that the system drew: distinct numbers give unrelated bits.
    key: RandomState,
}

impl IdSource for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "the one home of new ids")]
    fn id(&self) -> OperationId {
        Uuid::now_v7().into()
    }

    fn birth(&self) -> u64 {
        self.key.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed))
    }
}
