//! What is fuzzed: functions of bytes that must not panic and check what they state. `fuzz/` feeds them; the tests
//! here replay the corpus that it kept.

mod bodies;
mod conditions;
mod records;
mod requests;
mod sequences;
pub mod verbs;

pub use bodies::patch_body;
pub use conditions::{entity_tags, page_token};
pub use records::record;
pub use requests::{headers, query_options};
pub use sequences::sequence;

/// A target.
pub type Target = fn(&[u8]);

/// All, by the names that `fuzz/` and its corpus give them.
pub const TARGETS: [(&str, Target); 7] = [
    ("patch_body", patch_body),
    ("entity_tags", entity_tags),
    ("headers", headers),
    ("query_options", query_options),
    ("page_token", page_token),
    ("record", record),
    ("sequence", sequence),
];
