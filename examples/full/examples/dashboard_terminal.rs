//! What runs, how far it is, and what failed, in a terminal.
//!
//! ```sh
//! cargo run -p longrun-examples --example dashboard_terminal               # some work of its own, in memory
//! cargo run -p longrun-examples --example dashboard_terminal -- --data DIR # the same, kept in DIR
//! cargo run -p longrun-examples --example dashboard_terminal -- --url 127.0.0.1:8080 [--token TEXT]
//! ```
//!
//! With `--url` it lives on the events of a `serve`, or of a `worker_http`, in another process. Keys: `q` leaves, `f`
//! shows failures alone, `/` searches ids, types, labels and reasons.

#![expect(clippy::disallowed_methods, reason = "an example is the host: it spawns what the library does not")]

use std::sync::mpsc;
use std::time::Duration;

use crossterm::event::{self, Event as Input, KeyCode, KeyEventKind, KeyModifiers};
use longrun::{NewOperation, Tracker};
use longrun_examples::{Board, Failed, Key, Remote, draw, follow, listen};

const USAGE: &str = "dashboard_terminal [--data DIR | --url ADDRESS [--token TEXT]]";
/// Between two looks at the keyboard.
const TICK: Duration = Duration::from_millis(100);

enum Source {
    Memory,
    Folder(String),
    Url(String, Option<String>),
}

fn source(mut words: impl Iterator<Item = String>) -> Option<Source> {
    let mut source = Source::Memory;
    while let Some(word) = words.next() {
        source = match (&*word, source) {
            ("--data", Source::Memory) => Source::Folder(words.next()?),
            ("--url", Source::Memory) => Source::Url(words.next()?, None),
            ("--token", Source::Url(url, None)) => Source::Url(url, Some(words.next()?)),
            _ => return None,
        };
    }
    Some(source)
}

fn main() -> Result<(), Failed> {
    let source = source(std::env::args().skip(1)).ok_or(USAGE)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (sender, news) = mpsc::channel();
    let tracker = match source {
        Source::Url(url, token) => {
            std::thread::spawn(move || listen(&Remote::new(&url, token), &sender));
            None
        }
        own => {
            let builder = Tracker::builder();
            let tracker = runtime.block_on(async {
                match own {
                    Source::Folder(folder) => builder.open(folder).await,
                    _ => builder.in_memory().await,
                }
            })?;
            runtime.spawn(tracker.maintain());
            runtime.spawn(work(tracker.clone()));
            runtime.spawn(follow(tracker.clone(), sender));
            Some(tracker)
        }
    };
    let mut terminal = ratatui::try_init()?;
    let mut board = Board::default();
    let shown = loop {
        for news in news.try_iter() {
            board.hear(news);
        }
        if let Err(error) = terminal.draw(|frame| draw(frame, &board, chrono::Utc::now().fixed_offset())) {
            break Err(error.into());
        }
        match key() {
            Ok(Some(key)) if !board.press(key) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error.into()),
        }
    };
    ratatui::try_restore()?;
    if let Some(tracker) = tracker {
        runtime.block_on(tracker.close(Duration::from_secs(1)))?;
    }
    shown
}

/// The key that was pressed within a tick.
fn key() -> std::io::Result<Option<Key>> {
    if !event::poll(TICK)? {
        return Ok(None);
    }
    let Input::Key(pressed) = event::read()? else { return Ok(None) };
    Ok(match pressed.code {
        _ if pressed.kind == KeyEventKind::Release => None,
        KeyCode::Char('c') if pressed.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Char('q')),
        KeyCode::Char(c) => Some(Key::Char(c)),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Escape),
        KeyCode::Backspace => Some(Key::Backspace),
        _ => None,
    })
}

/// Something to look at: exports that take their time, and of which one in five fails.
async fn work(tracker: Tracker) -> longrun::Result<()> {
    for n in 1_u64.. {
        let new = NewOperation::new(if n % 3 == 0 { "import" } else { "export" }).label("order", n.to_string());
        let id = tracker.create(new).await?.id().clone();
        let tracker = tracker.clone();
        tokio::spawn(async move {
            let worked = tracker.run(&id, async move |run| {
                for percent in (0..100).step_by(5) {
                    run.progress(percent);
                    run.detail(format!("row {}", u64::from(percent) * n));
                    tokio::time::sleep(Duration::from_millis(100 + 37 * (n % 7))).await;
                }
                if n % 5 == 0 { Err(format!("order {n} has no rows")) } else { Ok(n) }
            });
            // What became of it is recorded.
            drop(worked.await);
        });
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    Ok(())
}
