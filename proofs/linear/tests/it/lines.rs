//! Histories as files, and the two programs that read them.

use std::path::Path;
use std::process::Command;

use linear::operation::lines::Misread;
use linear::operation::{Line, Recording, Worth, read};

const RACE: &str = r#"{"event":"call","process":0,"at":0,"id":"a","verb":{"create":{}}}
{"event":"answer","process":0,"at":1,"answer":{"done":{"version":"v1","status":"NotStarted"}}}
{"event":"call","process":0,"at":2,"id":"a","verb":{"patch":{"status":"Running","if_match":"v1"}}}
{"event":"call","process":1,"at":3,"id":"a","verb":{"start":{"holder":"w","if_match":"v1"}}}
{"event":"answer","process":0,"at":4,"answer":{"done":{"version":"v2","status":"Running"}}}
{"event":"answer","process":1,"at":5,"answer":{"lost":{"version":"v2","status":"Running","rest":{}}}}
"#;

fn both_win() -> String {
    RACE.replace(r#"{"lost":{"version":"v2""#, r#"{"done":{"version":"v3""#)
}

fn recordings(text: &str) -> Vec<Recording> {
    Recording::all(read(text).unwrap()).unwrap()
}

#[test]
fn what_is_written_reads_as_it_was() {
    let lines = read(RACE).unwrap();
    let written: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
    assert_eq!(written, RACE);
}

#[test]
fn a_line_cut_off_at_the_end_is_left_out() {
    let cut = &RACE[..RACE.len() - 9];
    assert_eq!(read(cut).unwrap().len(), 5);
    let [recording] = &recordings(cut)[..] else { panic!("one history") };
    let worth = Worth { calls: 3, overlapping: 2, lost: 0, open: 1, crashes: 0 };
    assert_eq!(Worth::of(recording), worth);
}

#[test]
fn a_broken_line_in_the_middle_is_named() {
    let broken = format!("{RACE}{{\"event\":\"call\"}}\n{RACE}");
    assert!(matches!(read(&broken), Err(Misread::Line { number: 7, .. })));
    let unknown = RACE.replacen("\"at\":0", "\"at\":0,\"when\":0", 1);
    assert!(matches!(read(&unknown), Err(Misread::Line { number: 1, .. })));
    let unasked = Line::Answer { process: 4, at: 2, answer: linear::operation::Answer::Deleted };
    assert!(matches!(Recording::all([unasked]), Err(Misread::Unasked { process: 4, .. })));
}

#[test]
fn histories_are_told_apart_by_name_and_joined_by_it() {
    let line = |name: &str| format!("{{\"event\":\"history\",\"name\":\"{name}\"}}\n");
    let (first, second) = RACE.split_at(RACE.find("{\"event\":\"call\",\"process\":1").unwrap());
    let text = [line("x").as_str(), first, &line("y"), RACE, &line("x"), second].concat();
    let both = recordings(&text);
    assert_eq!(both.iter().map(Recording::name).collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(both[0].calls(), both[1].calls());
}

#[test]
fn a_question_that_dies_in_a_crash_ends_there() {
    let crash = "{\"event\":\"crash\",\"at\":9,\"killed\":[0,2]}\n";
    let call = |process: u8| {
        format!("{{\"event\":\"call\",\"process\":{process},\"at\":7,\"id\":\"a\",\"verb\":\"get\"}}\n")
    };
    let [recording] = &recordings(&[&call(0), &call(1), crash].concat())[..] else { panic!("one history") };
    let ends: Vec<_> = recording.calls().iter().map(linear::Call::until).collect();
    assert_eq!(ends, [Some(8), None, Some(9)]);
}

#[test]
fn a_crash_meets_what_others_asked_before_it_wherever_that_is_written() {
    let crash = "{\"event\":\"crash\",\"at\":9,\"killed\":[0]}\n";
    let call = "{\"event\":\"call\",\"process\":0,\"at\":7,\"id\":\"a\",\"verb\":\"get\"}\n";
    assert_eq!(recordings(&[crash, call].concat()), recordings(&[call, crash].concat()));
}

/// Runs a program and gives its status and the last line it printed.
fn run(program: &str, argument: &Path) -> (Option<i32>, String) {
    let output = Command::new(program).arg(argument).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text.lines().last().unwrap_or_default().to_owned())
}

#[test]
fn linear_check_says_by_its_status_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let file = folder.path().join("history.jsonl");
        std::fs::write(&file, text).unwrap();
        run(env!("CARGO_BIN_EXE_linear-check"), &file)
    };
    let line = |tail| format!("1 histories (1 with a race and a loser), {tail}");
    assert_eq!(check(RACE), (Some(0), line("1 linearizable, 0 not, 0 undecided")));
    let line = "1 histories (0 with a race and a loser), 0 linearizable, 1 not, 0 undecided";
    assert_eq!(check(&both_win()), (Some(1), line.to_owned()));
    assert_eq!(check("").0, Some(1), "nothing judged is nothing shown");
    assert_eq!(check("{}\n").0, Some(2));
}

#[test]
fn linear_judge_compares_with_the_verdicts_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    for name in ["jepsen", "kv"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let log = "INFO jepsen.util - 0 :invoke :read nil\nINFO jepsen.util - 0 :ok :read 5\n";
    put("jepsen/one.log", log);
    put("jepsen/two.log", &log.replace(":read 5", ":read nil"));
    put("jepsen/none.log", "");
    let kv = r#"{:process 0, :type :invoke, :f :get, :key "k", :value nil}
{:process 0, :type :ok, :f :get, :key "k", :value "x"}
"#;
    put("kv/c-bad.txt", kv);
    let judge = || run(env!("CARGO_BIN_EXE_linear-judge"), folder.path());
    put("verdicts.txt", "one.log not\ntwo.log linearizable\n");
    assert_eq!(judge(), (Some(0), "3 histories, 3 verdicts equal, 0 differ".to_owned()));
    put("verdicts.txt", "one.log linearizable\ntwo.log linearizable\n");
    assert_eq!(judge(), (Some(1), "3 histories, 2 verdicts equal, 1 differ".to_owned()));
    put("verdicts.txt", "one.log not\nthree.log not\n");
    assert_eq!(judge().0, Some(2), "a verdict without its log");
}
