//! `JSONTestSuite`: texts that must parse (`y_`), must not (`n_`), or may (`i_`).
//!
//! A PATCH body must be an object of known members, so a text that must parse is asked as the value of
//! `result`. One that must not is asked as the body and as that value; one that may is asked both ways,
//! and only a panic is wrong.

use std::path::Path;

use crate::files::{self, Fault};
use crate::ours;
use crate::suite::{Case, Difference, Suite};

const TWICE: &str = "a name given twice is refused wherever it stands, or the last would silently win";
const NUL: &str = "U+0000 is refused, for there are stores whose text cannot hold it";

const DIFFERENCES: &[Difference] = &[
    ("y_object_duplicated_key.json", TWICE),
    ("y_object_duplicated_key_and_value.json", TWICE),
    ("y_object_escaped_null_in_key.json", NUL),
    ("y_string_null_escape.json", NUL),
];

pub(crate) fn run(folder: &Path) -> Result<Suite, Fault> {
    let mut cases = Vec::new();
    for (name, text) in files::all(folder)? {
        let as_result = [b"{\"status\":\"Completed\",\"result\":".as_slice(), &text, b"}"].concat();
        let (body, result) = (ours::takes_body(&text), ours::takes_body(&as_result));
        let (theirs, ours) = match name.get(..2) {
            Some("y_") => (Some(true), body.and(result)),
            Some("n_") => (Some(false), body.and_then(|body| Ok(body || result?))),
            Some("i_") => (None, body.and(result)),
            _ => return Err(Fault::new(folder, format!("{name} does not say what it wants"))),
        };
        cases.push(Case { name, theirs, ours });
    }
    Ok(Suite { name: "JSONTestSuite", left_out: String::new(), cases, differences: DIFFERENCES })
}
