//! JSON Schema's optional formats: texts that are valid and invalid.

use std::path::Path;

use serde_json::Value;

use crate::files::{self, Fault};
use crate::ours;
use crate::suite::{Case, Difference, Suite};

const DATE_TIME: &[Difference] = &[
    ("an invalid date-time with leap second on a wrong minute, UTC", "OData: :60 is the next second, wherever"),
    ("an invalid date-time with leap second on a wrong hour, UTC", "OData: :60 is the next second, wherever"),
    ("a second fraction of fifteen nines is valid", "more than 9 digits are refused, not cut"),
];

const UUID: &[Difference] = &[
    ("all upper-case", "an id is compared byte by byte: this is a text, and no UUID's own spelling"),
    ("mixed case", "an id is compared byte by byte: this is a text, and no UUID's own spelling"),
];

type Ask = fn(&str) -> Result<bool, String>;

const FORMATS: [(&str, &str, Ask, &[Difference]); 3] = [
    ("date-time.json", "JSON-Schema date-time", ours::takes_date, DATE_TIME),
    ("uuid.json", "JSON-Schema uuid", ours::takes_uuid, UUID),
    ("uri-reference.json", "JSON-Schema uri-reference", ours::takes_uri_reference, &[]),
];

pub(crate) fn run(folder: &Path) -> Result<Vec<Suite>, Fault> {
    FORMATS.iter().map(|(file, name, ask, differences)| one(&folder.join(file), name, *ask, differences)).collect()
}

fn one(path: &Path, name: &'static str, ask: Ask, differences: &'static [Difference]) -> Result<Suite, Fault> {
    let groups: Value = serde_json::from_slice(&files::one(path)?).map_err(|error| Fault::new(path, error))?;
    let tests = groups.as_array().into_iter().flatten().filter_map(|group| group["tests"].as_array()).flatten();
    let (mut cases, mut others) = (Vec::new(), 0);
    for test in tests {
        let (Some(name), Some(theirs)) = (test["description"].as_str(), test["valid"].as_bool()) else {
            return Err(Fault::new(path, format!("not a test: {test}")));
        };
        // A format says nothing of what is no text; whether a member must be one is not its matter.
        let Some(text) = test["data"].as_str() else {
            others += 1;
            continue;
        };
        cases.push(Case { name: name.to_owned(), theirs: Some(theirs), ours: ask(text) });
    }
    let left_out = format!("{others} that are no texts not asked");
    Ok(Suite { name, left_out, cases, differences })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_asked_and_the_rest_is_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let tests = r#"[{"tests": [
            {"description": "number", "data": 12, "valid": true},
            {"description": "a", "data": "a", "valid": true},
            {"description": "b", "data": "b", "valid": false}]}]"#;
        std::fs::write(file.path(), tests).unwrap();
        let suite = one(file.path(), "s", |text| Ok(text == "a"), &[]).unwrap();
        assert_eq!(suite.failures(), [""; 0]);
        let line = "s: 2 cases, 2 passed, 0 deliberate differences; 1 that are no texts not asked";
        assert_eq!(suite.to_string(), line);
    }
}
