//! `ctl` and the dashboard's client against processes that serve, and on a folder that nobody has open.

use std::sync::{Arc, mpsc};

use longrun::store::PostgresStore;
use longrun::{Failure, NewOperation, OperationId, Tracker};
use longrun_checks_postgres::Server;
use longrun_examples::{Board, Remote, Seen};
use serde_json::Value;

use crate::process::{Serving, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn serve(folder: &std::path::Path) -> Serving {
    Serving::start("serve", &["--addr", "127.0.0.1:0", "--open", "--data", folder.to_str().unwrap()])
}

/// A closed folder with an operation in each status; one is of a process that was killed.
async fn filled(folder: &std::path::Path) {
    let tracker = Tracker::open(folder).await.unwrap();
    let new = |name: &str| {
        let id = name.parse::<OperationId>().unwrap();
        NewOperation::new("export").id(id).label("order", format!("of {name}'s"))
    };
    for name in ["waits", "done", "broken"] {
        tracker.create(new(name)).await.unwrap();
    }
    let run = tracker.start(&"done".parse().unwrap()).await.unwrap();
    run.complete(42).await.unwrap();
    let run = tracker.start(&"broken".parse().unwrap()).await.unwrap();
    run.fail(Failure::new("noRows", "nothing \u{1b}[31mred to export")).await.unwrap();
    tracker.close(std::time::Duration::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_asked_for_tables_and_for_json() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("jobs");
    filled(&folder).await;
    let serving = serve(&folder);
    let ctl = |words: &[&str]| run("ctl", &[&[&*serving.address], words].concat());

    let listed = ctl(&["list"]);
    let lines = text(&listed.stdout);
    assert_eq!(lines.lines().count(), 4, "{lines}{}", text(&listed.stderr));
    assert!(lines.starts_with("ID      TYPE    STATUS"), "{lines}");
    assert!(lines.contains("noRows: nothing  [31mred to export"), "{lines}");
    let failed = text(&ctl(&["list", "--status", "failed", "--type", "export", "--json"]).stdout);
    let failed: Vec<Value> = failed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(failed.iter().map(|json| json["id"].as_str().unwrap()).collect::<Vec<_>>(), ["broken"]);
    let labelled = text(&ctl(&["list", "--label", "order=of done's"]).stdout);
    assert_eq!(labelled.lines().count(), 2, "{labelled}");

    let counts = text(&ctl(&["counts"]).stdout);
    assert!(counts.contains("export  1           0        1          1"), "{counts}");
    assert_eq!(ctl(&["get", "done"]).status.code(), Some(0));
    assert_eq!(ctl(&["get", "broken"]).status.code(), Some(1));
    assert_eq!(ctl(&["wait", "waits", "--for", "0"]).status.code(), Some(3));
    let missing = ctl(&["get", "nope"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("404"), "{}", text(&missing.stderr));
    assert_eq!(ctl(&["cancel", "waits"]).status.code(), Some(0));
    assert_eq!(ctl(&["wait", "waits"]).status.code(), Some(1));
    let watched = text(&ctl(&["watch", "waits"]).stdout);
    assert!(watched.starts_with("waits Failed cancelled: "), "{watched}");

    let (words, well) = serving.terminate();
    assert!(well);
    assert_eq!(words, "1 completed, 2 failed, 0 running, 0 not started\n");
}

/// It used to print nothing at its end where it was given a database.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_serves_a_database_prints_the_counts_at_its_end() {
    let server = Server::start();
    let serving = Serving::start("serve", &["--addr", "127.0.0.1:0", "--open", "--postgres", &server.url()]);
    // Another process, which shares the database and goes on.
    let pool = sqlx::postgres::PgPoolOptions::new().connect(&server.url()).await.unwrap();
    let store = PostgresStore::connect(pool).await.unwrap();
    let other = Tracker::builder().open_store(Arc::new(store)).await.unwrap();
    for name in ["done", "goes-on", "waits", "waits-too"] {
        other.create(NewOperation::new("export").id(name.parse::<OperationId>().unwrap())).await.unwrap();
    }
    other.start(&"done".parse().unwrap()).await.unwrap().complete(1).await.unwrap();
    let held = other.start(&"goes-on".parse().unwrap()).await.unwrap();
    assert_eq!(run("ctl", &[&*serving.address, "cancel", "waits"]).status.code(), Some(0));
    let (words, well) = serving.terminate();
    assert!(well);
    assert_eq!(words, "1 completed, 1 failed, 1 running, 1 not started\n");
    held.complete(2).await.unwrap();
    other.close(std::time::Duration::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_read_while_nobody_has_it_open_and_nothing_in_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = folder.path().join("jobs");
    let ctl = |words: &[&str]| run("ctl", &[&["--data", jobs.to_str().unwrap()], words].concat());
    let missing = ctl(&["list"]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    assert!(!jobs.exists(), "looking makes no folder");

    filled(&jobs).await;
    let before = Tracker::open(&jobs).await.unwrap();
    std::mem::forget(before.start(&"waits".parse().unwrap()).await.unwrap());
    let locked = ctl(&["list"]);
    let words = text(&locked.stderr);
    assert_eq!(locked.status.code(), Some(2));
    assert!(words.contains(&format!("process {}", std::process::id())) && words.contains("ctl"), "{words}");
    // As a kill leaves it: what runs is not ended by a close.
    let copy = folder.path().join("copy");
    assert!(std::process::Command::new("cp").arg("-a").args([&jobs, &copy]).status().unwrap().success());
    let ctl = |words: &[&str]| run("ctl", &[&["--data", copy.to_str().unwrap()], words].concat());
    for _ in 0..2 {
        let listed = ctl(&["list", "--status", "Running"]);
        assert!(text(&listed.stdout).contains("waits"), "{listed:?}");
        assert!(text(&listed.stderr).starts_with("1 of a process that is gone"), "{listed:?}");
    }
    assert_eq!(Tracker::open(&copy).await.unwrap().recovery(), ["waits".parse().unwrap()]);
}

/// What `dashboard_terminal --url` lives on.
#[tokio::test(flavor = "multi_thread")]
async fn a_dashboard_follows_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("jobs");
    filled(&folder).await;
    let serving = serve(&folder);
    let (sender, news) = mpsc::channel();
    let address = serving.address.clone();
    std::thread::spawn(move || longrun_examples::listen(&Remote::new(&address, None), &sender));
    let mut board = Board::default();
    let mut seen = |wanted: &dyn Fn(&Board) -> bool| crate::dashboard::hear_until(&mut board, &news, wanted);
    seen(&|board| board.failures().len() == 1);
    let address = serving.address.clone();
    let cancelled = std::thread::spawn(move || Remote::new(&address, None).cancel("waits").unwrap());
    seen(&|board| board.failures().len() == 2 && board.failures()[0].id == "waits");
    cancelled.join().unwrap();
    drop(serving);
    seen(&|board| format!("{board:?}").contains("trying again"));
}

#[test]
fn an_operation_is_read_from_its_json() {
    let json = serde_json::json!({
        "id": "a", "status": "Running", "createdDateTime": "2026-05-04T12:00:00.1234567+00:00",
        "lastActionDateTime": "2026-05-04T12:00:00+00:00", "cancellationRequestedDateTime": "2026-05-04T12:00:00Z",
    });
    assert!(Seen::read(&json).unwrap().is_cancelling);
    assert_eq!(Seen::read(&serde_json::json!({ "id": "a" })), None);
}

/// A worker that is looked into while it works, and that SIGTERM ends well.
#[test]
fn a_worker_is_looked_into_and_ends_at_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("small"), "x").unwrap();
    // 8 TiB of nothing are never done; one of two is cancelled, the other keeps the worker at work.
    for name in ["large", "other"] {
        std::fs::File::create(files.join(name)).unwrap().set_len(1 << 43).unwrap();
    }
    let data = folder.path().join("data");
    let (files, data) = (files.to_str().unwrap(), data.to_str().unwrap());
    let arguments = [files, "--data", data, "--listen", "127.0.0.1:0", "--workers", "3"];
    let worker = Serving::start("worker_http", &arguments);
    let ctl = |words: &[&str]| run("ctl", &[&[&*worker.address], words].concat());
    let id = OperationId::derive("file", format!("{files}/small").as_bytes()).to_string();
    // It may not be created yet.
    while ctl(&["wait", &id]).status.code() != Some(0) {}
    let running = || text(&ctl(&["list", "--status", "Running"]).stdout);
    while !running().contains("/large") {}
    let locked = run("ctl", &["--data", data, "list"]);
    assert!(text(&locked.stderr).contains(&format!("process {}", worker.child.id())), "{locked:?}");
    let large = OperationId::derive("file", format!("{files}/large").as_bytes()).to_string();
    assert_eq!(ctl(&["cancel", &large]).status.code(), Some(0));
    assert_eq!(ctl(&["wait", &large]).status.code(), Some(1));
    drop(worker);

    let worker = Serving::start("worker_http", &arguments);
    let (words, well) = worker.terminate();
    assert!(well, "{words}");
    // The large ones were interrupted, or the signal came before they were begun.
    let figures = words.lines().last().unwrap();
    let ends = [0, 1, 2].map(|failed| format!("1 completed, {failed} failed, {} not started", 2 - failed));
    assert!(ends.iter().any(|end| end == figures), "{words}");
}
