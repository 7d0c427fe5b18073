//! What the client and the sockets cost by themselves: a server that reads each request and answers it with the same
//! stored bytes, as many as `longrun::http` answers with. Nothing is kept.

use std::path::Path;

use anyhow::Result;
use longrun::OperationId;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use uuid::Uuid;

use super::client::{self, Client};
use crate::{contender::Contender, job::Job, record::Status};

/// A server that knows one answer for each status, and a client.
#[derive(Debug)]
pub struct BareSocket {
    client: Client,
    server: JoinHandle<Result<()>>,
}

/// What `longrun::http` answered with once, but for the status.
const HEAD: &str = "HTTP/1.1 200 OK\r
content-type: application/json;odata.metadata=minimal\r
etag: W/\"3qxs6kay0eyk9.2.1\"\r
retry-after: 1\r
odata-version: 4.0\r
vary: Prefer\r
request-id: 01a213c1-b41b-737a-8996-5740c10f001e\r
cache-control: no-cache\r
x-content-type-options: nosniff\r
date: Wed, 25 Nov 2026 17:29:51 GMT\r
";
const BODY: &str = r##"{"@odata.context":"http://127.0.0.1:36889/v1.0/$metadata#operations/$entity","@odata.type":"#microsoft.graph.operation","@odata.etag":"W/\"3qxs6kay0eyk9.2.1\"","id":"01a213c1-a698-7027-bcf1-de0fa8bf4db4","status":"STATUS","createdDateTime":"2026-11-25T17:29:47.9287042Z","lastActionDateTime":"2026-11-25T17:29:51.3883696Z","type":"export","startedDateTime":"2026-11-25T17:29:51.3883696Z"}"##;

fn answer(status: Status) -> Vec<u8> {
    let body = BODY.replace("STATUS", &format!("{status:?}"));
    format!("{HEAD}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn accept(listener: TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(mut stream: TcpStream) -> Result<()> {
    let answers = Status::ALL.map(|status| (format!("{status:?}"), answer(status)));
    let [(_, unmoved), ..] = &answers;
    let mut request = Vec::with_capacity(4096);
    while client::read_message(&mut stream, &mut request).await?.is_some() {
        let named = answers.iter().find(|(name, _)| client::after(&request, name.as_bytes()).is_some());
        stream.write_all(named.map_or(unmoved, |(_, answer)| answer)).await?;
        request.clear();
    }
    Ok(())
}

impl Contender for BareSocket {
    type Key = OperationId;
    type Claim = ();

    async fn open(_folder: &Path, _job: &Job) -> Result<Self> {
        let listener = client::listener().await?;
        let client = Client::new(listener.local_addr()?);
        Ok(Self { client, server: tokio::spawn(accept(listener)) })
    }

    fn durability(&self) -> String {
        "nothing: a stored answer".into()
    }

    async fn create(&self) -> Result<OperationId> {
        Ok(Uuid::now_v7().into())
    }

    async fn transition(&self, key: &OperationId, to: Status) -> Result<()> {
        self.client.patch(key, to).await
    }

    async fn get(&self, key: &OperationId) -> Result<Option<Status>> {
        Ok(Some(self.client.get(key).await?))
    }

    async fn close(self) -> Result<()> {
        self.server.abort();
        Ok(())
    }
}
