//! A tracker of another process as a source of news.

use std::ops::ControlFlow;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::{Event, Failed, News, Remote, Seen};

/// Tells what another process tracks, again and again while it cannot be reached.
pub fn listen(remote: &Remote, news: &Sender<News>) {
    loop {
        let trouble = match follow_remote(remote, news) {
            Ok(()) => "the stream ended".to_owned(),
            Err(error) => error.to_string(),
        };
        if news.send(News::Trouble(format!("{trouble}; trying again"))).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn follow_remote(remote: &Remote, news: &Sender<News>) -> Result<(), Failed> {
    let mut counted = Instant::now();
    let snapshot = || -> Result<(), Failed> {
        news.send(News::Afresh)?;
        let failed = "$filter=status%20eq%20'Failed'&$orderby=lastActionDateTime%20desc&$top=100";
        let lists = [("$filter=status%20eq%20'Running'&$top=1000", usize::MAX), (failed, 100)];
        for (query, limit) in lists {
            for seen in remote.list(query, limit)?.iter().filter_map(Seen::read) {
                news.send(News::Changed(Box::new(seen)))?;
            }
        }
        Ok(news.send(News::Counts(remote.counts()?))?)
    };
    remote.events(None, snapshot, |event| {
        let told = match event {
            Event::Deleted(id) => Some(News::Gone(id)),
            Event::Updated(json) => Seen::read(&json).map(|seen| News::Changed(Box::new(seen))),
        };
        let mut told: Vec<News> = told.into_iter().collect();
        if counted.elapsed() > Duration::from_millis(500) {
            counted = Instant::now();
            told.extend(remote.counts().ok().map(News::Counts));
        }
        match told.into_iter().try_for_each(|news_of| news.send(news_of)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })
}
