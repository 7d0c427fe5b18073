//! The page's PATCH, library call by library call.
//!
//! ```sh
//! cargo run --example patch
//! ```
//!
//! Prints the refusal of the page's literal request, whose status is the placeholder `String`, and the
//! page's answer to the same request with `Failed` for it.

#![expect(clippy::print_stdout, reason = "an example prints what it does")]

use longrun::clock::ManualClock;
use longrun::{NewOperation, OperationId, Patch, Status, Tracker, wire};

const REQUEST: &str = "{\r\n  \"@odata.type\": \"#microsoft.graph.operation\",\r\n  \"status\": \"String\",\r\n  \
    \"lastActionDateTime\": \"2017-01-01T00:01:23.8467386+03:00\"\r\n}";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::new("2016-12-31T23:57:22.3554145+03:00".parse()?);
    let tracker = Tracker::builder().clock(clock.clone()).in_memory().await?;
    let id: OperationId = "b9c58abd-8abd-b9c5-bd8a-c5b9bd8ac5b9".parse()?;
    tracker.create(NewOperation::untyped().id(id.clone())).await?;
    let running = tracker.patch(&id, Patch::new().status(Status::Running)).await?;
    println!("ETag: {}", running.etag());

    clock.set("2017-01-01T00:01:23.8467386+03:00".parse()?);
    if let Err(refused) = tracker.patch_json(&id, None, REQUEST.as_bytes()).await {
        println!("{} {}", refused.http_status(), refused.to_json());
    }
    let failed = tracker.patch_json(&id, None, REQUEST.replace("String", "Failed").as_bytes()).await?;
    println!("200 {}", wire::to_json(&wire::Entity::new(&failed)));
    Ok(())
}
