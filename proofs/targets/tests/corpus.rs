//! Replays what the fuzzers kept, and what once failed.

use std::fs;
use std::path::Path;

use longrun_targets::TARGETS;

#[test]
fn the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in TARGETS {
        let mut inputs: Vec<_> =
            fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        inputs.sort();
        assert!(inputs.len() >= 5, "{name} has a corpus of {}", inputs.len());
        for input in inputs {
            println!("{name} {}", input.display());
            target(&fs::read(input).unwrap());
        }
    }
}

/// The kept inputs reach what they are kept for: a target that returns at once would pass too.
#[test]
fn the_corpus_is_of_both_kinds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let read = |name: &str| -> Vec<Vec<u8>> {
        fs::read_dir(corpus.join(name)).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
    };
    let taken = |body: &Vec<u8>| longrun::wire::patch(body, longrun::wire::OPERATION).is_ok();
    assert!(read("patch_body").iter().any(taken) && !read("patch_body").iter().all(taken));
    let tag = |text: &Vec<u8>| String::from_utf8_lossy(text).parse::<longrun::model::ETag>().is_ok();
    assert!(read("entity_tags").iter().any(tag) && !read("entity_tags").iter().all(tag));
    let token = |text: &Vec<u8>| String::from_utf8_lossy(text).parse::<longrun::model::PageToken>().is_ok();
    assert!(read("page_token").iter().any(token) && !read("page_token").iter().all(token));
}
