//! Three who wait for one worker: nobody polls.
//!
//! ```sh
//! cargo run --example watch
//! ```
//!
//! Prints what each waiter saw, in this order:
//!
//! ```text
//! watcher: NotStarted
//! watcher: Running
//! watcher: Completed
//! waiter: Completed with 42 rows
//! impatient: Running
//! ```

#![expect(clippy::print_stdout, reason = "an example prints what it does")]

use std::time::Duration;

use longrun::calls::Watched;
use longrun::{Failure, NewOperation, Status, Tracker};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tracker = Tracker::builder().in_memory().await?;
    let id = tracker.create(NewOperation::new("export")).await?.id().clone();

    // Sees each status; what it is too slow for it does not see, the end it always does.
    let mut watch = tracker.watch(&id).await?;
    if let Some(Watched::Updated(now)) = watch.next().await.transpose()? {
        println!("watcher: {}", now.status());
    }
    // Waits for the end, an hour at most.
    let waiter = tracker.wait(&id, Duration::from_hours(1));

    let (finish, finished) = oneshot::channel();
    let working = async {
        let work = tracker.run(&id, async |_| {
            finished.await.map_err(|_| Failure::new("gone", "nobody lets it finish"))?;
            Ok::<_, Failure>(42)
        });
        work.await
    };
    let watching = async {
        let mut impatient = None;
        let mut finish = Some(finish);
        while let Some(Watched::Updated(now)) = watch.next().await.transpose()? {
            println!("watcher: {}", now.status());
            if now.status() == Status::Running {
                // Waits for no time at all: the operation as it is.
                impatient = Some(tracker.wait(&id, Duration::ZERO).await?.status());
                if let Some(finish) = finish.take() {
                    let _ = finish.send(());
                }
            }
        }
        Ok::<_, longrun::Error>(impatient)
    };
    let (worked, watched, waited) = tokio::join!(working, watching, waiter);
    let ended = waited?;
    println!("waiter: {} with {} rows", ended.status(), ended.result::<u32>()?);
    if let Some(status) = watched? {
        println!("impatient: {status}");
    }
    assert_eq!(worked?, 42);
    Ok(())
}
