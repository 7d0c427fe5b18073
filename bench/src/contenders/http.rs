//! Ours over HTTP: the tracker on sled behind `longrun::http`, asked through sockets of this machine. The client runs
//! in the same process, on the same cores; what it costs is what [`BareSocket`](super::bare_socket::BareSocket) shows.

use std::{io, path::Path};

use anyhow::Result;
use longrun::{
    OperationId,
    http::{self, Access},
};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    client::{self, Client},
    longrun::{Longrun, SLED},
};
use crate::{contender::Contender, job::Job, record::Status};

/// A server, its tracker, and a client.
#[derive(Debug)]
pub struct Http {
    library: Longrun<SLED>,
    client: Client,
    server: JoinHandle<io::Result<()>>,
    end: oneshot::Sender<()>,
}

impl Contender for Http {
    type Key = OperationId;
    type Claim = ();

    async fn open(folder: &Path, job: &Job) -> Result<Self> {
        let library = Longrun::open(folder, job).await?;
        let listener = client::listener().await?;
        let client = Client::new(listener.local_addr()?);
        let router = http::graph(library.tracker().clone(), Access::open()).path(client::SET).router();
        let (end, ended) = oneshot::channel();
        let serving = http::serve(listener, router).until(async { drop(ended.await) });
        Ok(Self { library, client, server: tokio::spawn(serving.into_future()), end })
    }

    fn durability(&self) -> String {
        self.library.durability()
    }

    /// Through the library: what is made beforehand is not measured.
    async fn create(&self) -> Result<OperationId> {
        self.library.create().await
    }

    async fn transition(&self, key: &OperationId, to: Status) -> Result<()> {
        self.client.patch(key, to).await
    }

    async fn get(&self, key: &OperationId) -> Result<Option<Status>> {
        Ok(Some(self.client.get(key).await?))
    }

    async fn close(self) -> Result<()> {
        drop((self.client, self.end));
        self.server.await??;
        self.library.close().await
    }
}
