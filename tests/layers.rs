//! Reads `src/` and enforces who may use whom: the table of the architecture, and that `model` is pure.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test a panic is the failure, outside the test functions too"
)]

use std::fs;
use std::path::Path;

/// A module, what it may use of the crate, and what from outside.
struct Row(&'static str, &'static [&'static str], &'static [&'static str]);

/// The longest matching prefix counts. `std` and a module's own children are free to all.
const TABLE: [Row; 17] = [
    Row(
        "lib",
        &[
            "model",
            "clock",
            "error",
            "store",
            "store::memory",
            "store::sled",
            "store::postgres",
            "store::record",
            "store::embedded",
            "store::conformance",
            "tracker",
            "wire",
            "http",
            "postgres_tx",
            "transfer",
        ],
        &OUTSIDE,
    ),
    Row("model", &[], &["chrono", "serde", "serde_json", "uuid"]),
    Row("clock", &[], &["chrono", "tokio"]),
    Row("error", &["model", "store"], &[]),
    // Names its children to show them, and uses nothing of theirs.
    Row(
        "store",
        &["model", "store::embedded", "store::memory", "store::record", "store::sled", "store::postgres"],
        &["async_trait", "futures_core"],
    ),
    // A key holds a UUID's bytes.
    Row("store::record", &["model"], &["serde", "serde_json", "postcard", "crc32fast", "uuid"]),
    // Its own record has a checksum; keys are named in errors.
    Row(
        "store::embedded",
        &["model", "store", "store::record", "clock"],
        &["async_trait", "futures_core", "tokio", "tracing", "crc32fast", "uuid"],
    ),
    // The clock is handed on to `Embedded::open`.
    Row("store::memory", &["store", "store::embedded", "clock"], &[]),
    // A call into sled that hangs is told of.
    Row("store::sled", &["store", "store::embedded", "clock"], &["sled", "rustix", "tracing"]),
    Row(
        "store::postgres",
        &["model", "store", "store::record", "clock"],
        &["async_trait", "futures_core", "sqlx", "tokio", "tracing"],
    ),
    // Its wrapper of faults is a store, and its broken engine is one of ours; macros live at the root.
    Row(
        "store::conformance",
        &["lib", "tracker", "model", "store", "store::embedded", "store::record", "clock"],
        &["async_trait", "futures_core", "tokio"],
    ),
    Row(
        "tracker",
        &["model", "store", "wire", "error", "clock"],
        &["tokio", "futures_core", "serde", "serde_json", "chrono", "tracing", "uuid", "metrics"],
    ),
    Row("wire", &["model", "error"], &["serde", "serde_json", "chrono"]),
    // hyper's own connection takes deadlines that axum::serve has no place for; chrono reads the dates and
    // times of `$filter`; the host's hook is an async trait.
    Row(
        "http",
        &["tracker", "model", "wire", "error", "clock"],
        &[
            "async_trait",
            "axum",
            "chrono",
            "hyper",
            "hyper_util",
            "tower",
            "utoipa",
            "sha2",
            "subtle",
            "tokio",
            "futures_core",
            "serde",
            "serde_json",
            "tracing",
            "uuid",
        ],
    ),
    Row(
        "testing",
        &["lib", "model", "clock", "error", "store", "store::memory", "store::embedded", "tracker", "wire"],
        &OUTSIDE,
    ),
    // The user's transaction and the tracker's rules meet in it.
    Row("postgres_tx", &["model", "error", "store", "store::postgres", "tracker"], &["sqlx"]),
    Row(
        "transfer",
        &["lib", "model", "clock", "error", "store", "store::record", "store::embedded", "tracker", "wire"],
        &OUTSIDE,
    ),
];

const OUTSIDE: [&str; 23] = [
    "async_trait",
    "axum",
    "chrono",
    "crc32fast",
    "futures_core",
    "hyper",
    "hyper_util",
    "metrics",
    "postcard",
    "rustix",
    "serde",
    "serde_json",
    "sha2",
    "sled",
    "sqlx",
    "subtle",
    "tokio",
    "tower",
    "tracing",
    "utoipa",
    "uuid",
    "hyper",
    "rand",
];

/// What makes a thing impure: paths by their beginning or their end, and words.
const IMPURE_STD: [&str; 11] = [
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::thread",
    "std::env",
    "std::process",
    "std::time",
    "std::sync",
    "std::os",
];
const IMPURE_ENDS: [&str; 4] = ["Utc::now", "Local::now", "Uuid::now_v7", "Uuid::new_v4"];
const IMPURE_WORDS: [&str; 3] = ["async", "await", "unsafe"];

/// The source without comments and the insides of strings.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            1 + rest[2..].find('\'').map_or(0, |end| end + 2)
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").filter(|end| *end > 2).map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in code.chars() {
        let word = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if word && in_word => last.push(c),
            Some(last) if c == ':' && last == ":" => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.into()),
        }
        in_word = word;
    }
    tokens
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Every path in the source, `use` trees spelled out; one that begins with `::` keeps that beginning.
fn paths(source: &str) -> Vec<String> {
    let tokens = tokens(&code(source));
    let (mut paths, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let global = tokens[at] == "::" && tokens.get(at + 1).is_some_and(|next| is_word(next));
        if global || (is_word(&tokens[at]) && tokens.get(at + 1).is_some_and(|next| next == "::")) {
            at = tree(&tokens, at, String::new(), &mut paths);
        } else {
            at += 1;
        }
    }
    paths
}

/// Reads one path from `at`; answers where it ends.
fn tree(tokens: &[String], mut at: usize, mut path: String, paths: &mut Vec<String>) -> usize {
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("::") => path.push_str("::"),
            Some("*") if path.ends_with("::") => path.push('*'),
            Some(word) if is_word(word) && (path.is_empty() || path.ends_with("::")) => path.push_str(word),
            Some("{") if path.ends_with("::") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    if tokens[at] == "as" {
                        at += 2;
                        continue;
                    }
                    let before = at;
                    at = tree(tokens, at, path.clone(), paths);
                    // A comma.
                    at = if at == before { at + 1 } else { at };
                }
                return at + 1;
            }
            _ => {
                if !path.is_empty() && !path.ends_with("::") {
                    paths.push(path);
                }
                return at;
            }
        }
        at += 1;
    }
}

/// The row of a module path; `None` where no module of that name is known.
fn row(module: &str) -> Option<&'static Row> {
    TABLE
        .iter()
        .filter(|Row(name, ..)| {
            module == *name || module.strip_prefix(name).is_some_and(|rest| rest.starts_with("::"))
        })
        .max_by_key(|Row(name, ..)| name.len())
}

/// What a module's source breaks, in words.
fn breaches(module: &str, source: &str) -> Vec<String> {
    let Some(Row(name, inside, outside)) = row(module) else {
        return vec![format!("{module} is in no row of the table")];
    };
    let mut found = Vec::new();
    for path in paths(source) {
        let segments: Vec<_> = path.split("::").collect();
        let absolute = match segments[0] {
            "crate" => Some(segments[1..].join("::")),
            "self" => Some([module, &segments[1..].join("::")].join("::")),
            "super" => {
                let ups = segments.iter().take_while(|segment| **segment == "super").count();
                let own: Vec<_> = module.split("::").collect();
                let above = own.get(..own.len().saturating_sub(ups)).unwrap_or_default();
                Some([above, &segments[ups..]].concat().join("::"))
            }
            _ => None,
        };
        if let Some(target) = absolute {
            let used = row(&target).map_or("lib", |Row(used, ..)| used);
            if used != *name && !inside.contains(&used) {
                found.push(format!("{module} uses {path} of {used}"));
            }
            continue;
        }
        let first = if segments[0].is_empty() { segments[1] } else { segments[0] };
        if OUTSIDE.contains(&first) && !outside.contains(&first) {
            found.push(format!("{module} uses {path} from outside"));
        }
        let is_pure = *name != "model"
            || (!IMPURE_STD.iter().any(|std| path == *std || path.starts_with(&format!("{std}::")))
                && !IMPURE_ENDS.iter().any(|end| path.ends_with(end)));
        if !is_pure {
            found.push(format!("{module} is not pure: {path}"));
        }
    }
    if *name == "model" {
        let words = tokens(&code(source)).into_iter().filter(|token| IMPURE_WORDS.contains(&&**token));
        found.extend(words.map(|word| format!("{module} is not pure: {word}")));
    }
    found
}

fn visit(folder: &Path, module: &str, each: &mut impl FnMut(&str, &Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = if module.is_empty() { stem.clone() } else { format!("{module}::{stem}") };
        if path.is_dir() {
            visit(&path, &inner, each);
        } else if stem == "mod" {
            each(module, &path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&inner, &path);
        }
    }
}

#[test]
fn every_module_keeps_to_its_row() {
    let (mut files, mut found) = (0, Vec::new());
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut |module, path| {
        files += 1;
        let source = fs::read_to_string(path).unwrap();
        found.extend(breaches(module, &source));
    });
    assert!(files > 30, "only {files} files were read");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The test itself is tested: each of these is caught, and what is allowed is not.
#[test]
fn planted_breaches_are_caught() {
    let planted = [
        ("model::patch", "use tokio::sync::Mutex;"),
        ("model::patch", "use crate::store::Store;"),
        ("model::patch", "use crate::{clock::Clock, model::Patch};"),
        ("model::patch", "use super::super::store;"),
        ("model::patch", "fn now() { chrono::Utc::now(); }"),
        ("model::patch", "use uuid::Uuid; fn id() { Uuid::now_v7(); }"),
        ("model::patch", "use std::{fmt, time::Instant};"),
        ("model::patch", "async fn f() {}"),
        ("store", "use serde::Serialize;"),
        ("store::record", "use crate::clock::Clock;"),
        ("store::memory", "use super::sled::SledEngine;"),
        ("store::sled::folder", "use crate::store::memory::MemoryEngine;"),
        ("store::embedded::state", "use crate::tracker::Tracker;"),
        ("store::embedded::state", "let x = ::sled::open(y);"),
        ("tracker::run", "use crate::store::{Store, sled::SledStore};"),
        ("tracker::run", "fn f() { sled::open(\"x\"); }"),
        ("wire", "use crate::tracker::Tracker;"),
        ("http::routes", "use crate::store::Store;"),
        ("error", "use serde_json::{Value as V};"),
        ("elsewhere", ""),
    ];
    for (module, source) in planted {
        assert_eq!(breaches(module, source).len(), 1, "{module}: {source}: {:?}", breaches(module, source));
    }
    let allowed = [
        (
            "model::patch",
            "// use tokio::sync;\nuse super::id::OperationId; use crate::model::{state::State, text}; use std::fmt;",
        ),
        ("model::patch", "fn f() { let s = \"tokio::sync \\\" async\"; let q = '\"'; }"),
        (
            "store::sled",
            "mod folder; use self::folder::Folder; use super::embedded::{Engine, Visit}; use ::sled::Db;",
        ),
        ("store::memory", "use super::StoreError;"),
        (
            "store::embedded",
            "use super::record::{self, Entry}; use super::{Change, Store}; use self::index::Index;",
        ),
        ("lib", "pub use self::error::Error; use crate::store::SledStore;"),
    ];
    for (module, source) in allowed {
        assert_eq!(breaches(module, source), [""; 0], "{module}: {source}");
    }
}
