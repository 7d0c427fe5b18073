//! A way to the server that can be cut after any byte.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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
    /// Bytes that passed to the client since armed.
    passed: AtomicI64,
}

impl Cut {
    /// Cuts all connections after so many more bytes to the server.
    pub fn after_sent(&self, bytes: i64) {
        self.to_server.store(bytes, Ordering::SeqCst);
    }

    /// Cuts all connections after so many more bytes to the client.
    pub fn after_answered(&self, bytes: i64) {
        self.passed.store(0, Ordering::SeqCst);
        self.to_client.store(bytes, Ordering::SeqCst);
    }

    /// Lets everything pass.
    pub fn never(&self) {
        self.to_server.store(i64::MAX, Ordering::SeqCst);
        self.to_client.store(i64::MAX, Ordering::SeqCst);
    }

    /// Bytes that passed to the client since [`after_answered`](Self::after_answered).
    pub fn answered(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
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
            passed: AtomicI64::new(0),
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
        () = copy(&mut from_client, &mut to_server, &cut.to_server, None) => {}
        () = copy(&mut from_server, &mut to_client, &cut.to_client, Some(&cut.passed)) => {}
    }
}

async fn copy(
    from: &mut tokio::net::unix::OwnedReadHalf,
    to: &mut tokio::net::unix::OwnedWriteHalf,
    left: &AtomicI64,
    passed: Option<&AtomicI64>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let length = i64::try_from(read).unwrap_or(i64::MAX);
        let before = left.fetch_sub(length, Ordering::SeqCst);
        let allowed = usize::try_from(before.clamp(0, length)).unwrap_or(0);
        let part = buffer.get(..allowed).unwrap_or_default();
        if to.write_all(part).await.is_err() {
            return;
        }
        if let Some(passed) = passed {
            passed.fetch_add(i64::try_from(allowed).unwrap_or(0), Ordering::SeqCst);
        }
        if before <= length && before < i64::MAX / 2 {
            return;
        }
    }
}
