//! Opens a folder as a host does and says what became of it: for tests that open as somebody else.

use std::path::Path;

use crate::reopen::{chain, open};
use crate::{Outcome, print};

/// Prints `opened, N operations` or `refused, KIND: why`.
pub(crate) fn run(arguments: &[String]) -> Outcome<()> {
    let [folder] = arguments else { return Err("open FOLDER".into()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        match open(Path::new(folder)).await {
            Ok(tracker) => {
                print(&format!("opened, {} operations", tracker.counts().await?.total()));
                tracker.close(std::time::Duration::ZERO).await?;
            }
            Err(error) => print(&format!("refused, {:?}: {}", error.kind(), chain(&error))),
        }
        Ok(())
    })
}
