//! The two combinators that the tracker needs of futures.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A future on the heap.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The first answer of several futures, asked in order; the others are dropped.
pub(crate) async fn first<T>(mut futures: Vec<Boxed<'_, T>>) -> T {
    poll_fn(|context| {
        futures.iter_mut().map(|future| future.as_mut().poll(context)).find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

/// The answers of all futures, in order, run side by side.
pub(crate) async fn all<T>(futures: Vec<Boxed<'_, T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Some(future), None)).collect();
    poll_fn(|context| {
        let mut pending = false;
        for (future, answer) in &mut futures {
            if let Some(running) = future {
                match running.as_mut().poll(context) {
                    Poll::Ready(value) => (*future, *answer) = (None, Some(value)),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    futures.into_iter().filter_map(|(_, answer)| answer).collect()
}
