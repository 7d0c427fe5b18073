//! The program runs every work with our own contenders and prints what was agreed; no time is asserted.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail by panicking, too")]

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;

const OWN: [&str; 4] = ["log-preallocated", "log", "longrun-sled", "longrun-memory"];

/// Runs the program with `--json` and returns its rows.
fn rows(line: &str) -> Vec<Value> {
    rows_of(&OWN, line)
}

fn rows_of(contenders: &[&str], line: &str) -> Vec<Value> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_longrun-bench"))
        .args(line.split_whitespace())
        .args(["--contenders", &contenders.join(","), "--json", "--dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let members: BTreeSet<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["rounds", "rows", "work"]));
    assert_eq!(answer["work"], line.split_whitespace().next().unwrap());
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "{line} left something behind");
    answer["rows"].as_array().unwrap().clone()
}

/// The contenders, callers and figures of plain rows.
fn check_rates(rows: &[Value], callers: &[u64]) {
    let expected: Vec<(&str, u64)> =
        callers.iter().flat_map(|callers| OWN.map(|contender| (contender, *callers))).collect();
    let found: Vec<(&str, u64)> =
        rows.iter().map(|row| (row["contender"].as_str().unwrap(), row["callers"].as_u64().unwrap())).collect();
    assert_eq!(found, expected);
    for row in rows {
        for figure in ["ops_per_s", "p50_us", "p99_us", "ratio_to_log"] {
            assert!(row[figure].as_f64().is_some_and(|figure| figure > 0.0), "{figure} of {row}");
        }
        assert_eq!(row.as_object().unwrap().len(), 6, "{row}");
    }
}

#[test]
fn lifecycles() {
    check_rates(&rows("lifecycle --callers 1,8 --rounds 2 --seconds 0.3"), &[1, 8]);
}

#[test]
fn transitions() {
    check_rates(&rows("transition --callers 8 --rounds 1 --seconds 0.3 --records 400"), &[8]);
}

#[test]
fn progress() {
    check_rates(&rows("progress --callers 8 --rounds 1 --seconds 0.3 --records 40"), &[8]);
}

#[test]
fn contended() {
    check_rates(&rows("contended --callers 8 --rounds 1 --seconds 0.3"), &[8]);
}

#[test]
fn reads_have_a_row_for_each_read_and_size() {
    let rows = rows("reads --rounds 1 --seconds 0.1 --records 300,600");
    for contender in ["longrun-sled", "longrun-memory"] {
        for case in ["get at 300", "page of 100 at 300", "counts at 300", "get at 600", "counts at 600"] {
            let row = rows.iter().find(|row| row["contender"] == contender && row["case"] == case);
            assert!(row.unwrap()["p50_us"].as_f64().is_some(), "{case} of {contender}");
        }
    }
}

#[test]
fn http_is_compared_with_the_library() {
    let contenders = ["longrun-sled", "longrun-http", "bare-socket"];
    let rows = rows_of(&contenders, "http --callers 8 --rounds 1 --seconds 0.3 --records 400");
    let found = rows.iter().map(|row| (row["contender"].as_str().unwrap(), row["case"].as_str().unwrap()));
    let expected = contenders.iter().flat_map(|name| ["patch", "get"].map(|case| (*name, case)));
    assert!(found.eq(expected), "{rows:?}");
    for row in &rows {
        assert!(row["ops_per_s"].as_f64().unwrap() > 0.0, "{row}");
        let compared = row["contender"] != "longrun-sled";
        assert_eq!(row["ratio_to_library"].as_f64().is_some_and(|ratio| ratio > 0.0), compared, "{row}");
    }
}

#[test]
fn growth_survives_its_kill() {
    let rows = rows("growth --callers 8 --seconds 0.2 --records 200,400");
    for case in ["inserts/s", "memory bytes/operation", "open ms after kill -9", "open ms after close"] {
        for records in [200, 400] {
            let row = rows
                .iter()
                .find(|row| row["contender"] == "longrun-sled" && row["case"] == case && row["records"] == records);
            assert!(row.unwrap()["value"].as_f64().is_some(), "{case} at {records}");
        }
    }
}

#[test]
fn churn_is_sampled_to_its_end_and_plotted() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let plot = folder.path().join("churn.svg");
    let line = format!("churn --callers 8 --records 50 --transitions 2000 --plot {}", plot.display());
    let rows = rows(&line);
    for contender in OWN {
        let samples: Vec<&Value> = rows.iter().filter(|row| row["contender"] == contender).collect();
        assert_eq!(samples.last().unwrap()["case"], "folder bytes when closed");
        assert_eq!(samples.last().unwrap()["at"], 2000.0);
        assert!(samples.len() > 2, "{samples:?}");
    }
    let text = fs::read_to_string(plot).unwrap();
    assert!(text.contains("longrun-sled"), "{text}");
}

#[test]
fn memory_of_the_index() {
    let output = Command::new(env!("CARGO_BIN_EXE_longrun-index")).arg("2000").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().count(), 6, "{table}");
    for row in table.lines().skip(2) {
        let bytes: f64 = row.trim_end_matches(" |").rsplit(' ').next().unwrap().parse().unwrap();
        assert!(bytes > 0.0, "{row}");
    }
}
