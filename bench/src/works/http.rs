//! PATCH and GET of one operation, over keep-alive connections; the library's own calls beside them.

use std::sync::Arc;

use anyhow::Result;

use super::{reads, transition};
use crate::{
    contender::Contender,
    job::{Job, Measurement},
};

pub(super) async fn run<C: Contender>(contender: &Arc<C>, job: &Job) -> Result<Measurement> {
    let keys = super::fill(contender, job.records).await?;
    let patches = transition::of(contender, job, keys.clone()).await?;
    let gets = reads::gets(contender, job, keys).await?;
    let cases = vec![super::case("patch", &patches), super::case("get", &gets)];
    Ok(Measurement { cases, ..Measurement::default() })
}
