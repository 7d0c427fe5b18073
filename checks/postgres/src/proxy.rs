//! A way to the server that can be cut after any byte.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// Passes bytes on between a Unix socket of its own and the server's, until told to cut.
#[derive(Debug)]
pub struct Proxy {
    folder: PathBuf,
    cut: Arc<Cut>,
    task: JoinHandle<()>,
}

/// When to cut: counts down the bytes that pass, on all connections together.
#[derive(Debug)]
pub struct Cut {
    to_server: AtomicI64,
    to_client: AtomicI64,
    /// Whether a cut that happened is the last.
    once: AtomicBool,
    /// Cuts that happened.
    made: AtomicI64,
}

impl Cut {
    /// Cuts after so many more bytes to the server: once, or every connection until told otherwise.
    pub fn after_sent(&self, bytes: i64, once: bool) {
        self.once.store(once, Ordering::SeqCst);
        self.to_server.store(bytes, Ordering::SeqCst);
    }

    /// Cuts after so many more bytes to the client.
    pub fn after_answered(&self, bytes: i64, once: bool) {
        self.once.store(once, Ordering::SeqCst);
        self.to_client.store(bytes, Ordering::SeqCst);
    }

    /// Lets everything pass.
    pub fn never(&self) {
        self.to_server.store(i64::MAX, Ordering::SeqCst);
        self.to_client.store(i64::MAX, Ordering::SeqCst);
    }

    /// Cuts that happened so far.
    pub fn made(&self) -> i64 {
        self.made.load(Ordering::SeqCst)
    }

    /// How many of `length` bytes may still pass, and whether the connection is cut after them.
    fn take(&self, left: &AtomicI64, length: i64) -> (i64, bool) {
        let before = left.fetch_sub(length, Ordering::SeqCst);
        if before > length {
            return (length, false);
        }
        self.made.fetch_add(1, Ordering::SeqCst);
        if self.once.load(Ordering::SeqCst) {
            self.never();
        }
        (before.max(0), true)
    }
}

impl Proxy {
    /// A proxy in `folder`, before the server's socket.
    pub fn start(folder: &Path, server: &Path, port: u16) -> io::Result<Self> {
        let name = format!(".s.PGSQL.{port}");
        let listener = UnixListener::bind(folder.join(&name))?;
        let target = server.join(name);
        let cut = Arc::new(Cut {
            to_server: AtomicI64::new(i64::MAX),
            to_client: AtomicI64::new(i64::MAX),
            once: AtomicBool::new(false),
            made: AtomicI64::new(0),
        });
        let shared = Arc::clone(&cut);
        #[expect(clippy::disallowed_methods, reason = "a test's own helper")]
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = UnixStream::connect(&target).await {
                    connections.spawn(pass(client, server, Arc::clone(&shared)));
                }
            }
        });
        Ok(Self { folder: folder.into(), cut, task })
    }

    /// Where its socket is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// When it cuts.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes on until either side ends or the cut is due. Both directions end together.
async fn pass(client: UnixStream, server: UnixStream, cut: Arc<Cut>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::select! {
        () = copy(&mut from_client, &mut to_server, &cut, &cut.to_server) => {}
        () = copy(&mut from_server, &mut to_client, &cut, &cut.to_client) => {}
    }
}

async fn copy(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, cut: &Cut, left: &AtomicI64) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let (allowed, ends) = cut.take(left, i64::try_from(read).unwrap_or(i64::MAX));
        let part = buffer.get(..usize::try_from(allowed).unwrap_or(0)).unwrap_or_default();
        if to.write_all(part).await.is_err() || ends {
            return;
        }
    }
}
