//! OASIS's cases for the ABNF of OData: texts that a rule takes, or refuses from a position on.

use std::path::Path;

use yaml_rust2::{Yaml, YamlLoader};

use crate::files::{self, Fault};
use crate::ours;
use crate::suite::{Case, Difference, Suite};

type Ask = fn(&str) -> Result<bool, String>;

/// The rules that the library reads by itself.
const RULES: [(&str, Ask); 2] = [("dateTimeOffsetValue", ours::takes_date), ("guid", ours::takes_uuid)];

const DIFFERENCES: &[Difference] = &[
    ("dateTimeOffsetValue 0000-01-01T00:00Z", "years are 1 to 9999, there is no year 0"),
    ("dateTimeOffsetValue -10000-04-01T00:00Z", "years are 1 to 9999"),
];

pub(crate) fn run(path: &Path) -> Result<Suite, Fault> {
    let bytes = files::one(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| Fault::new(path, error))?;
    let documents = YamlLoader::load_from_str(text).map_err(|error| Fault::new(path, error))?;
    let tests = documents.first().and_then(|document| document["TestCases"].as_vec());
    let (mut cases, mut others) = (Vec::new(), 0);
    for test in tests.into_iter().flatten() {
        let (Some(rule), Some(input)) = (test["Rule"].as_str(), test["Input"].as_str()) else {
            return Err(Fault::new(path, format!("not a test: {test:?}")));
        };
        let Some((rule, ask)) = RULES.iter().find(|(name, _)| *name == rule) else {
            others += 1;
            continue;
        };
        let theirs = matches!(test["FailAt"], Yaml::BadValue);
        cases.push(Case { name: format!("{rule} {input}"), theirs: Some(theirs), ours: ask(input) });
    }
    let left_out = format!("{others} of rules that the library does not read not asked");
    Ok(Suite { name: "OData ABNF", left_out, cases, differences: DIFFERENCES })
}
