//! A client of HTTP/1.1 as lean as it can be, so that the server is what is measured: it writes one request, reads one
//! answer by its length, and keeps the connection.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail, ensure};
use longrun::OperationId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::record::Status;

/// Where the operations are.
pub const SET: &str = "/v1.0/operations";

/// As many connections to one server as there are calls at once.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    idle: Mutex<Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Client {
    /// A client of the server at this address.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// Changes a status by PATCH.
    ///
    /// # Errors
    /// The connection broke, or the answer is not 200.
    pub async fn patch(&self, id: &OperationId, to: Status) -> Result<()> {
        let body = format!(r#"{{"status":"{to:?}"}}"#);
        let request = format!(
            "PATCH {SET}/{id} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        ensure!(self.exchange(request.as_bytes()).await? == to, "the answer shows another status");
        Ok(())
    }

    /// GETs a status.
    ///
    /// # Errors
    /// The connection broke, or the answer is not 200.
    pub async fn get(&self, id: &OperationId) -> Result<Status> {
        let request = format!("GET {SET}/{id} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.exchange(request.as_bytes()).await
    }

    /// Sends a request and reads the status that its answer shows.
    async fn exchange(&self, request: &[u8]) -> Result<Status> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let shown = connection.exchange(request).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(shown)
    }
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, bytes: Vec::with_capacity(4096) })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Status> {
        self.stream.write_all(request).await?;
        self.bytes.clear();
        read_message(&mut self.stream, &mut self.bytes).await?.context("closed without an answer")?;
        if !self.bytes.starts_with(b"HTTP/1.1 200 ") {
            bail!("{}", String::from_utf8_lossy(&self.bytes));
        }
        let status = after(&self.bytes, b"\"status\":\"").context("no status in the answer")?;
        let shown = Status::ALL.into_iter().find(|shown| status.starts_with(format!("{shown:?}").as_bytes()));
        shown.context("an unknown status")
    }
}

/// Reads one message whole, of which there is nothing yet, and returns its length; `None` if the peer is gone.
///
/// # Errors
/// The connection broke, or more came than one message.
pub async fn read_message(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<Option<usize>> {
    loop {
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
        if let Some(length) = length(bytes)?
            && bytes.len() >= length
        {
            ensure!(bytes.len() == length, "more than one message");
            return Ok(Some(length));
        }
    }
}

/// How long the message is that begins so, once its head is there.
fn length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = position(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = bytes.get(..end).unwrap_or_default();
    let named = after(head, b"\r\ncontent-length: ").or_else(|| after(head, b"\r\nContent-Length: "));
    let body = match named.and_then(|rest| rest.split(|byte| *byte == b'\r').next()) {
        Some(digits) => std::str::from_utf8(digits)?.parse()?,
        None => 0,
    };
    Ok(Some(end + 4 + body))
}

/// What follows the first of these bytes.
#[must_use]
pub fn after<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    bytes.get(position(bytes, name)? + name.len()..)
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}

/// A listener on a free port of this machine.
///
/// # Errors
/// There is none.
pub async fn listener() -> Result<TcpListener> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_its_head_says() {
        assert_eq!(length(b"GET / HTTP/1.1\r\nHost: a\r\n").unwrap(), None);
        assert_eq!(length(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap(), Some(27));
        assert_eq!(length(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\nx: y\r\n\r\n{").unwrap(), Some(57));
        assert!(length(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
    }
}
