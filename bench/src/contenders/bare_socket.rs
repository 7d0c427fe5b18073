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

/// An answer of the server's own, but for the ids and times in it.
fn answer(status: Status) -> Vec<u8> {
    let body = format!(
        concat!(
            r#"{{"@odata.context":"http://127.0.0.1:40000/v1.0/$metadata#operations/$entity","#,
            r#""@odata.type":"#microsoft.graph.operation","@odata.etag":"W/\"0123456789abcdef.2.1\"","#,
            r#""id":"01a0b1c2-d3e4-7f50-8617-28394a5b6c7d","status":"{:?}","#,
            r#""createdDateTime":"2026-03-01T12:00:00.1234567Z","lastActionDateTime":"2026-03-01T12:00:01.1234567Z","#,
            r#""type":"export"}}"#
        ),
        status
    );
    let head = concat!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json;odata.metadata=minimal\r\n",
        "etag: W/\"0123456789abcdef.2.1\"\r\nretry-after: 1\r\nodata-version: 4.0\r\nvary: Accept, Prefer\r\n",
        "request-id: 01a0b1c2-d3e4-7f50-8617-28394a5b6c7d\r\ncache-control: no-cache\r\n",
        "x-content-type-options: nosniff\r\ndate: Sun, 01 Mar 2026 12:00:00 GMT\r\n"
    );
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
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
