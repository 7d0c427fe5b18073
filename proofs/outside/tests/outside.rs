//! The program on small made-up suites: it must be able to fail.

#![expect(clippy::unwrap_used, reason = "a test that goes wrong shall stop")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// One case of each suite; every one is right as long as `n_one.json` is.
fn suites(folder: &Path, must_not_parse: &str) {
    for name in ["json-test-suite", "json-schema-formats", "porcupine", "porcupine/jepsen", "porcupine/kv"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    let put = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    put("odata-abnf-testcases.yaml", "TestCases:\n  - Name: a\n    Rule: guid\n    Input: x\n    FailAt: 0\n");
    put("json-test-suite/n_one.json", must_not_parse);
    for format in ["date-time", "uuid", "uri-reference"] {
        let test = r#"[{"tests": [{"description": "a", "data": "\\", "valid": false}]}]"#;
        put(&format!("json-schema-formats/{format}.json"), test);
    }
    put("porcupine/verdicts.txt", "");
    let kv = "{:process 0, :type :invoke, :f :get, :key \"k\", :value nil}\n\
              {:process 0, :type :ok, :f :get, :key \"k\", :value \"never put\"}\n";
    put("porcupine/kv/one-bad.txt", kv);
}

/// The status and what was printed.
fn outside(folder: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_outside")).arg(folder).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_suite_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    suites(folder.path(), "[1,]");
    let (_, printed) = outside(folder.path());
    let names: Vec<_> = printed.lines().filter(|line| !line.starts_with(' ')).collect();
    let starts = [
        "OData ABNF: 1 cases, 1 passed,",
        "JSONTestSuite: 1 cases, 1 passed,",
        "JSON-Schema date-time: 1 cases, 1 passed,",
        "JSON-Schema uuid: 1 cases, 1 passed,",
        "JSON-Schema uri-reference: 1 cases, 1 passed,",
        "porcupine: 1 cases, 1 passed,",
    ];
    assert_eq!(names.len(), starts.len(), "{printed}");
    assert!(names.iter().zip(starts).all(|(name, start)| name.starts_with(start)), "{printed}");
}

#[test]
fn a_body_taken_that_must_be_refused_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    suites(folder.path(), "{}");
    let (status, printed) = outside(folder.path());
    assert_eq!(status, Some(1));
    assert!(printed.contains("  FAILED n_one.json: the suite refuses it, longrun takes it\n"), "{printed}");
}

#[test]
fn a_stated_difference_without_its_case_fails() {
    let folder = tempfile::tempdir().unwrap();
    suites(folder.path(), "[1,]");
    let (status, printed) = outside(folder.path());
    assert_eq!(status, Some(1));
    assert!(printed.contains("all upper-case: stated as a difference, and not there"), "{printed}");
}

#[test]
fn a_missing_suite_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(outside(folder.path()).0, Some(2));
}
