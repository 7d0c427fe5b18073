//! The terminal dashboard, drawn into memory, and the sources that it lives on.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use longrun::store::Counts;
use longrun::{Failure, NewOperation, Status, Tracker};
use longrun_examples::{Board, Key, News, Seen, draw, follow};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

fn date(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).unwrap()
}

/// The lines of a terminal of this size, twelve minutes after noon.
fn drawn(board: &Board, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, board, date("2026-05-04T12:12:00Z"))).unwrap();
    let cells = terminal.backend().buffer().content();
    cells.chunks(width.into()).map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect()).collect()
}

fn changed(json: &Value) -> News {
    News::Changed(Box::new(Seen::read(json).unwrap()))
}

fn running(id: &str, percent: u8, started: &str) -> Value {
    json!({
        "id": id, "status": "Running", "type": "export", "percentageComplete": percent,
        "createdDateTime": "2026-05-04T12:00:00Z", "startedDateTime": started, "lastActionDateTime": started,
    })
}

fn failed(id: &str, at: &str, message: &str) -> Value {
    json!({
        "id": id, "status": "Failed", "type": "import", "error": { "code": "orphaned", "message": message },
        "createdDateTime": "2026-05-04T12:00:00Z", "lastActionDateTime": at,
    })
}

fn board() -> Board {
    let mut board = Board::default();
    let mut counts = Counts::default();
    counts.add(Some("export"), Status::Running, 2);
    counts.add(Some("import"), Status::Failed, 12_345);
    counts.add(None, Status::Completed, 7);
    board.hear(News::Counts(counts));
    board.hear(changed(&running("young", 40, "2026-05-04T12:11:55Z")));
    board.hear(changed(&running("old", 90, "2026-05-04T12:02:00Z")));
    board.hear(changed(&failed("first", "2026-05-04T12:05:00Z", "no rows")));
    board.hear(changed(&failed("second", "2026-05-04T12:11:00Z", "its process\u{1b}[31m is gone")));
    board
}

/// The one line with all of these.
fn line<'a>(lines: &'a [String], parts: &[&str]) -> &'a str {
    let found: Vec<_> = lines.iter().filter(|line| parts.iter().all(|part| line.contains(part))).collect();
    assert_eq!(found.len(), 1, "{parts:?} in\n{}", lines.join("\n"));
    found[0]
}

#[test]
fn a_wide_terminal_has_counts_by_type_beside_the_lists() {
    let lines = drawn(&board(), 140, 24);
    line(&lines, &["counts", "running: 2"]);
    line(&lines, &["│export     █████████░  90 %", "10 min 0 s", "old"]);
    line(&lines, &["│export      ", " 2 ", "0│"]);
    line(&lines, &["████░░░░░░  40 %", "5 s", "young"]);
    line(&lines, &["import", "12345"]);
    line(&lines, &["(none)", " 7 "]);
    line(&lines, &["all", " 2 ", " 7 ", "12345"]);
    let order = |what: &str| lines.iter().position(|line| line.contains(what)).unwrap();
    assert!(order("old") < order("young"), "the longest runs first");
    assert!(order("second") < order("first"), "the newest failure comes first");
    line(&lines, &["orphaned", "1 min 0 s", "second", "its process [31m is gone"]);
    line(&lines, &["q quit", "f failures", "/ search"]);
}

#[test]
fn a_narrow_terminal_has_totals_above_the_lists() {
    let lines = drawn(&board(), 60, 24);
    assert!(lines[0].starts_with("0 wait  2 run  7 done  12345 failed"), "{}", lines[0]);
    line(&lines, &["█████████░  90 %", "old"]);
    line(&lines, &["orphaned", "7 min 0 s", "no rows"]);
    for width in [1, 9, 20, 40, 99, 100, 101, 300] {
        for height in [1, 2, 5, 80] {
            drawn(&board(), width, height);
        }
    }
}

#[test]
fn keys_search_show_failures_alone_and_leave() {
    let mut board = board();
    let type_in = |board: &mut Board, text: &str| text.chars().for_each(|c| assert!(board.press(Key::Char(c))));
    type_in(&mut board, "/rowsq");
    assert!(drawn(&board, 140, 24).last().unwrap().contains("/rowsq"), "q is a letter while a text is typed");
    assert!(board.press(Key::Backspace));
    assert!(board.press(Key::Enter));
    assert_eq!((board.running().len(), board.failures().len()), (0, 1));
    assert!(board.press(Key::Escape));
    assert_eq!((board.running().len(), board.failures().len()), (2, 2));
    type_in(&mut board, "f");
    let lines = drawn(&board, 140, 24);
    assert!(!lines.iter().any(|line| line.contains("running:")), "{}", lines.join("\n"));
    line(&lines, &["newest failures: 2"]);
    assert!(!board.press(Key::Char('q')));
}

#[test]
fn what_ends_is_gone_deleted_or_among_the_failures() {
    let mut board = board();
    board.hear(changed(&failed("old", "2026-05-04T12:12:00Z", "late")));
    assert_eq!(board.running().iter().map(|seen| &*seen.id).collect::<Vec<_>>(), ["young"]);
    assert_eq!(board.failures()[0].id, "old");
    board.hear(News::Gone("old".into()));
    board.hear(News::Gone("young".into()));
    assert_eq!((board.running().len(), board.failures().len()), (0, 2));
    board.hear(News::Trouble("no answer".into()));
    assert!(drawn(&board, 60, 10).last().unwrap().contains("no answer"));
    board.hear(News::Afresh);
    assert_eq!(board.failures().len(), 0);
    for n in 0..1_000 {
        board.hear(changed(&failed(&format!("f{n}"), &format!("2026-05-04T12:00:00.{n:03}Z"), "no")));
    }
    assert_eq!((board.failures().len(), &*board.failures()[0].id), (200, "f999"));
}

#[test]
fn what_runs_says_how_fast_and_how_long_still() {
    let mut board = board();
    let mut counting = running("counting", 30, "2026-05-04T12:02:00Z");
    counting["progress"] = json!({ "done": 1_200, "total": 4_000, "unit": "rows" });
    counting["lastActionDateTime"] = "2026-05-04T12:04:00Z".into();
    counting["statusDetail"] = "table 2".into();
    board.hear(changed(&counting));
    let mut percent = running("percent", 25, "2026-05-04T12:02:00Z");
    percent["lastActionDateTime"] = "2026-05-04T12:03:00Z".into();
    board.hear(changed(&percent));
    let lines = drawn(&board, 200, 24);
    // 1,200 rows in two minutes, 2,800 to go.
    line(&lines, &["counting", "1200/4000 rows, 10.0/s, 4 min 40 s left; table 2"]);
    line(&lines, &["percent", " 3 min 0 s left"]);
    // Nothing is known of one that has given no sign of life since it began.
    assert!(!line(&lines, &["young"]).contains("left"));
}

/// Hears news until the board is as wanted; a watchdog ends a source that tells nothing.
pub(crate) fn hear_until(board: &mut Board, news: &Receiver<News>, wanted: impl Fn(&Board) -> bool) {
    while !wanted(board) {
        board.hear(news.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("hangs: {board:?}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_tells_what_is_there_and_each_change() {
    let tracker = Tracker::builder().in_memory().await.unwrap();
    let new = |name: &str| NewOperation::new("export").id(name.parse::<longrun::OperationId>().unwrap());
    let first = tracker.create(new("first")).await.unwrap();
    let run = tracker.start(first.id()).await.unwrap();
    let gone = tracker.create(new("gone")).await.unwrap();
    tracker.fail(tracker.start(&gone.id().clone()).await.unwrap().id(), Failure::new("no", "no")).await.unwrap();
    let (sender, news) = mpsc::channel();
    tokio::spawn(follow(tracker.clone(), sender));
    let (told, heard) = tokio::sync::oneshot::channel();
    let board = tokio::task::spawn_blocking(move || {
        let mut board = Board::default();
        hear_until(&mut board, &news, |board| board.running().len() == 1 && board.failures().len() == 1);
        told.send(()).unwrap();
        hear_until(&mut board, &news, |board| board.running().is_empty() && board.failures().len() == 1);
        hear_until(&mut board, &news, |board| {
            let lines = drawn(board, 140, 24);
            lines.iter().any(|line| line.contains("│all ") && line.contains(" 1│"))
        });
        board
    });
    heard.await.unwrap();
    run.fail(Failure::new("late", "too late")).await.unwrap();
    tracker.delete(gone.id()).await.unwrap();
    let board = board.await.unwrap();
    assert_eq!(board.failures()[0].id, "first");
}
