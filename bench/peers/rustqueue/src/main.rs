//! rustqueue 0.3 by its own API: push, pull, ack.
//!
//! Its durable settings: redb with an fsync for each write, and the same with coalesced writes, whose answers wait for
//! the batch (<https://docs.rs/crate/rustqueue/0.3.0/source/docs/production.md>, "Durability modes").

use std::path::Path;

use anyhow::Result;
use longrun_bench::{child, contender::Contender, job::Job};
use rustqueue::{JobId, RustQueue, storage::BufferedRedbConfig};

const QUEUE: &str = "export";

struct Rustqueue {
    queue: RustQueue,
    durability: &'static str,
}

impl Contender for Rustqueue {
    type Key = JobId;
    type Claim = JobId;

    async fn open(folder: &Path, job: &Job) -> Result<Self> {
        let builder = RustQueue::redb(folder.join("jobs.redb"))?;
        let (builder, durability) = match job.contender.as_str() {
            "rustqueue-coalesced" => {
                (builder.with_write_coalescing(BufferedRedbConfig::default()), "redb, coalesced writes")
            }
            _ => (builder, "redb, immediate"),
        };
        Ok(Self { queue: builder.build()?, durability })
    }

    fn durability(&self) -> String {
        self.durability.into()
    }

    async fn create(&self) -> Result<JobId> {
        Ok(self.queue.push(QUEUE, "export", serde_json::Value::Null, None).await?)
    }

    /// It hands out the next job, not a named one.
    async fn start(&self, _key: &JobId) -> Result<Option<JobId>> {
        Ok(self.queue.pull(QUEUE, 1).await?.pop().map(|job| job.id))
    }

    async fn complete(&self, _key: &JobId, claim: JobId) -> Result<()> {
        Ok(self.queue.ack(claim, None).await?)
    }
}

fn main() -> Result<()> {
    child::serve::<Rustqueue>()
}
