//! A tracker of this process as a source of news.

use std::pin::pin;
use std::sync::mpsc::Sender;

use futures_core::Stream;
use longrun::store::{Change, Position};
use longrun::{Status, Tracker};

use crate::{Failed, News, Seen};

/// Tells what is there, then each change, until nobody listens. Lossless: it lives on `changes`; hints only
/// say when to ask.
pub async fn follow(tracker: Tracker, news: Sender<News>) -> Result<(), Failed> {
    // Before the lists, so that what changes while they are read comes again.
    let mut hints = pin!(tracker.hints());
    let mut position = tracker.latest().await?;
    snapshot(&tracker, &news).await?;
    loop {
        position = changes(&tracker, position, &news).await?;
        news.send(News::Counts(tracker.counts().await?))?;
        let hint = std::future::poll_fn(|context| hints.as_mut().poll_next(context)).await;
        if hint.is_none() {
            return Ok(());
        }
    }
}

async fn snapshot(tracker: &Tracker, news: &Sender<News>) -> Result<(), Failed> {
    news.send(News::Afresh)?;
    let mut after = None;
    loop {
        let mut list = tracker.list().status(Status::Running).limit(1_000);
        if let Some(token) = after {
            list = list.after(token);
        }
        let page = list.await?;
        tell(news, page.items.iter().filter_map(Seen::of))?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let failed = tracker.list().status(Status::Failed).by_end().newest_first().limit(100).await?;
    tell(news, failed.items.iter().filter_map(Seen::of))
}

async fn changes(tracker: &Tracker, mut position: Position, news: &Sender<News>) -> Result<Position, Failed> {
    loop {
        let changes = tracker.changes(&position, 1_000).await?;
        for change in &changes.items {
            match change {
                Change::Updated(operation) => tell(news, Seen::of(operation))?,
                gone => news.send(News::Gone(gone.id().to_string()))?,
            }
        }
        position = changes.next;
        if changes.at_end {
            return Ok(position);
        }
    }
}

fn tell(news: &Sender<News>, seen: impl IntoIterator<Item = Seen>) -> Result<(), Failed> {
    for seen in seen {
        news.send(News::Changed(Box::new(seen)))?;
    }
    Ok(())
}
