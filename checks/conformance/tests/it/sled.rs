//! Every promise on sled, by both ways of syncing.

use std::path::Path;

use longrun::conformance::EngineOpener;
use longrun::store::embedded::Journaled;
use longrun::store::{SledEngine, SledOptions, StoreError};

fn flagged(folder: &Path) -> Result<SledEngine, StoreError> {
    SledEngine::open(&SledOptions::new(folder))
}

fn data_sync(folder: &Path) -> Result<SledEngine, StoreError> {
    SledEngine::open(&SledOptions::new(folder).sync_flag(false))
}

/// As `SledStore` is built.
fn journaled(folder: &Path) -> Result<Journaled<SledEngine>, StoreError> {
    Journaled::open(data_sync(folder)?, &folder.join("journal"), true, Some(1 << 21))
}

mod journal {
    use super::*;
    longrun::conformance_tests!(EngineOpener::new(journaled));
}

mod sync_flag {
    use super::*;
    longrun::conformance_tests!(EngineOpener::new(flagged));
}

mod fdatasync {
    use super::*;
    longrun::conformance_tests!(EngineOpener::new(data_sync));
}
