//! A loop that starts one operation per tick and never two: not when the tick before still runs, not when the
//! process was restarted within a tick, not when several processes share one store.
//!
//!     cargo run -p longrun-examples --example cron -- --ticks 4 --every-ms 300
//!
//! prints
//!
//!     tick 0: started
//!     tick 1: skipped, tick 0 still runs
//!     tick 2: started
//!     tick 3: started
//!     4 ticks, 3 started, 1 skipped, 3 completed
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use longrun::{NewOperation, Status, Tracker};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What a tick is named after: its number, so that each has one operation for ever.
fn tick(number: u32) -> NewOperation {
    let id = longrun::OperationId::derive("report", number.to_string());
    NewOperation::new("report").id(id).label("tick", number.to_string()).unique("report")
}

fn argument(name: &str, default: u32) -> u32 {
    let mut all = std::env::args().skip_while(|argument| argument != name);
    all.nth(1).and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (ticks, every) = (argument("--ticks", 4), Duration::from_millis(argument("--every-ms", 300).into()));
    let tracker = Tracker::builder().in_memory().await?;
    let second_tick = Arc::new(Notify::new());
    let mut runs = JoinSet::new();
    let (mut started, mut skipped) = (0, 0);
    // Not "every" after the last one: what was late does not shift those that follow, and is not made up for.
    let mut clock = tokio::time::interval(every);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for number in 0..ticks {
        clock.tick().await;
        let created = tracker.create_new(tick(number)).await?;
        if !created.is_new {
            let holder = created.operation.label("tick").unwrap_or("?").to_owned();
            println!("tick {number}: skipped, tick {holder} still runs");
            skipped += 1;
            // The first report takes until the second tick has come.
            second_tick.notify_one();
            while runs.join_next().await.is_some() {}
            continue;
        }
        println!("tick {number}: started");
        started += 1;
        let (tracker, second_tick) = (tracker.clone(), Arc::clone(&second_tick));
        let run = async move {
            let id = created.operation.id();
            let work = tracker.run(id, async |_| {
                if number == 0 {
                    second_tick.notified().await;
                }
                Ok::<_, std::io::Error>(number)
            });
            work.await.map_err(|error| error.to_string())
        };
        if number == 0 {
            runs.spawn(run);
        } else {
            run.await?;
        }
    }
    second_tick.notify_one();
    while let Some(run) = runs.join_next().await {
        run??;
    }
    let completed = tracker.counts().await?.of(Status::Completed);
    println!("{ticks} ticks, {started} started, {skipped} skipped, {completed} completed");
    tracker.close(Duration::from_secs(1)).await?;
    Ok(())
}
