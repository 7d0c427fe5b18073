//! A job that survives kill -9, as a truth: run it three times.
//!
//! ```sh
//! cargo run --example quickstart            # creates an export and ends its process in the middle of it
//! cargo run --example quickstart            # finds it orphaned, and runs the next attempt to its end
//! cargo run --example quickstart            # finds it completed
//! ```
//!
//! The first run prints `Running`, the second `Failed: orphaned: ..` and `Completed`, the third `Completed`.

#![expect(clippy::print_stdout, reason = "an example prints what it does")]

use std::time::Duration;

use longrun::{NewOperation, OperationId, Status, Tracker};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = std::env::args().nth(1).unwrap_or_else(|| "longrun-data/quickstart".into());
    let tracker = Tracker::open(data).await?;
    let id = OperationId::derive("order", "1742");
    let export = NewOperation::new("export").label("order", "1742");

    let first = tracker.create(export.clone().id(id.clone())).await?;
    if first.status() == Status::NotStarted {
        let run = tracker.start(&id).await?;
        run.progress(40).await?;
        println!("{}", tracker.get(&id).await?.status());
        std::process::abort(); // as kill -9, a panic with abort, or a power cut would end it
    }
    if let Some(failure) = first.failure() {
        println!("{}: {failure}", first.status());
    }
    let again = tracker.create(export.id(id.attempt(2)?).retry_of(id)).await?;
    if again.status() == Status::NotStarted {
        tracker
            .run(again.id(), async |run| {
                run.progress(50);
                Ok::<_, std::io::Error>("42 rows")
            })
            .await?;
    }
    println!("{}", tracker.get(again.id()).await?.status());
    tracker.close(Duration::from_secs(5)).await?;
    Ok(())
}
