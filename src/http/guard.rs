//! A connection that does not wait for ever, and a body that must come in time (FAULTS 17).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// What the service tells the connection: how many requests it has begun, and how many it works on.
#[derive(Debug, Default)]
pub(super) struct Busy {
    begun: AtomicU64,
    working: AtomicUsize,
}

impl Busy {
    /// A request begins; it ends when the answer is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Working {
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.working.fetch_add(1, Ordering::AcqRel);
        Working(Arc::clone(self))
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Working(Arc<Busy>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A stream with deadlines: for a request's head from its first byte on, for silence between requests, and
/// for a peer that does not take what it is sent.
#[derive(Debug)]
pub(super) struct Guard<S> {
    stream: S,
    busy: Arc<Busy>,
    /// The request that was begun last when `reading` was set.
    seen: u64,
    /// Whether a head has begun.
    in_head: bool,
    head: Duration,
    idle: Duration,
    reading: Pin<Box<Sleep>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Guard<S> {
    pub(super) fn new(stream: S, busy: Arc<Busy>, head: Duration, idle: Duration) -> Self {
        let reading = Box::pin(sleep(idle));
        Self { stream, busy, seen: 0, in_head: false, head, idle, reading, writing: None }
    }

    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let begun = self.busy.begun.load(Ordering::Acquire);
        if self.seen != begun || self.busy.working.load(Ordering::Acquire) > 0 {
            // What was read belongs to a request that is served: the next silence begins now.
            self.seen = begun;
            self.in_head = false;
            self.restart(self.idle);
        }
        self.reading.as_mut().poll(context).is_ready() && self.busy.working.load(Ordering::Acquire) == 0
    }

    fn restart(&mut self, limit: Duration) {
        let now = Instant::now();
        self.reading.as_mut().reset(now.checked_add(limit).unwrap_or(now));
    }
}

fn late(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what.to_owned())
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.is_late(context) {
            return Poll::Ready(Err(late("the peer is silent")));
        }
        ready!(polled)?;
        if buffer.filled().len() > before && !self.in_head && self.busy.working.load(Ordering::Acquire) == 0 {
            self.in_head = true;
            let head = self.head;
            self.restart(head);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Guard<S> {
    fn written<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing = None;
            if !self.in_head {
                // A stream of events is no silence.
                self.restart(self.idle);
            }
            return polled;
        }
        let idle = self.idle;
        let writing = self.writing.get_or_insert_with(|| Box::pin(sleep(idle)));
        match writing.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(late("the peer does not read"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A body that ends with an error when its time is over.
pub(super) struct Timed {
    stream: BodyDataStream,
    deadline: Pin<Box<Sleep>>,
}

impl Timed {
    /// The same body, which must have come within this time.
    pub(super) fn body(body: Body, within: Duration) -> Body {
        Body::from_stream(Self { stream: body.into_data_stream(), deadline: Box::pin(sleep(within)) })
    }
}

impl Stream for Timed {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(next) = Pin::new(&mut self.stream).poll_next(context) {
            return Poll::Ready(next.map(|chunk| chunk.map_err(io::Error::other)));
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Some(Err(late("the body came too slowly"))))
    }
}
