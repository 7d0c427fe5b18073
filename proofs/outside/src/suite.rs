//! A suite of others: its cases, what we make of each, and where we differ on purpose.

use std::fmt;

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// How the suite names it.
    pub(crate) name: String,
    /// Whether it must be taken; `None` if either will do.
    pub(crate) theirs: Option<bool>,
    /// Whether we take it; an error is wrong whatever they say.
    pub(crate) ours: Result<bool, String>,
}

/// A case in which we differ on purpose, by its name, and why.
pub(crate) type Difference = (&'static str, &'static str);

/// A suite that was run.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// What of the suite is not asked, and why; empty if all is.
    pub(crate) left_out: String,
    pub(crate) cases: Vec<Case>,
    pub(crate) differences: &'static [Difference],
}

impl Suite {
    /// What went wrong, a line each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let mut stated: Vec<&str> = self.differences.iter().map(|(name, _)| *name).collect();
        for case in &self.cases {
            let differs = stated.iter().position(|name| *name == case.name).map(|at| stated.swap_remove(at));
            let taken = |taken: bool| if taken { "takes" } else { "refuses" };
            let wrong = match (&case.ours, case.theirs, differs) {
                (Err(fault), ..) => fault.clone(),
                (Ok(ours), Some(theirs), None) if *ours != theirs => {
                    format!("the suite {} it, longrun {} it", taken(theirs), taken(*ours))
                }
                (Ok(ours), Some(theirs), Some(_)) if *ours == theirs => {
                    "stated as a difference, and is none".to_owned()
                }
                (Ok(_), None, Some(_)) => "stated as a difference where either will do".to_owned(),
                _ => continue,
            };
            failures.push(format!("{}: {wrong}", case.name));
        }
        failures.extend(stated.into_iter().map(|name| format!("{name}: stated as a difference, and not there")));
        if self.cases.is_empty() {
            failures.push("no case was found".to_owned());
        }
        failures
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stated = |case: &&Case| self.differences.iter().any(|(name, _)| *name == case.name);
        let passed = self.cases.iter().filter(|case| {
            !stated(case) && case.ours.as_ref().is_ok_and(|ours| case.theirs.is_none_or(|theirs| *ours == theirs))
        });
        let (cases, passed, differences) = (self.cases.len(), passed.count(), self.differences.len());
        write!(f, "{}: {cases} cases, {passed} passed, {differences} deliberate differences", self.name)?;
        for (index, (name, reason)) in self.differences.iter().enumerate() {
            write!(f, "{}{name}: {reason}", if index == 0 { " (" } else { "; " })?;
        }
        f.write_str(if self.differences.is_empty() { "" } else { ")" })?;
        if !self.left_out.is_empty() {
            write!(f, "; {}", self.left_out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(cases: &[(&str, Option<bool>, Result<bool, &str>)], differences: &'static [Difference]) -> Suite {
        let case = |(name, theirs, ours): &(&str, Option<bool>, Result<bool, &str>)| Case {
            name: (*name).to_owned(),
            theirs: *theirs,
            ours: ours.map_err(str::to_owned),
        };
        Suite { name: "s", left_out: String::new(), cases: cases.iter().map(case).collect(), differences }
    }

    #[test]
    fn equal_and_either_pass() {
        let suite =
            suite(&[("a", Some(true), Ok(true)), ("b", Some(false), Ok(false)), ("c", None, Ok(true))], &[]);
        assert_eq!(suite.failures(), [""; 0]);
        assert_eq!(suite.to_string(), "s: 3 cases, 3 passed, 0 deliberate differences");
    }

    #[test]
    fn an_unstated_difference_and_a_fault_fail() {
        let suite = suite(&[("a", Some(true), Ok(false)), ("b", None, Err("panicked"))], &[]);
        assert_eq!(suite.failures(), ["a: the suite takes it, longrun refuses it", "b: panicked"]);
        assert_eq!(suite.to_string(), "s: 2 cases, 0 passed, 0 deliberate differences");
    }

    #[test]
    fn a_stated_difference_must_be_one() {
        let cases = [("a", Some(true), Ok(false)), ("b", Some(true), Ok(true)), ("c", None, Ok(true))];
        let suite = suite(&cases, &[("a", "why"), ("b", "why"), ("c", "why"), ("d", "why")]);
        assert_eq!(
            suite.failures(),
            [
                "b: stated as a difference, and is none",
                "c: stated as a difference where either will do",
                "d: stated as a difference, and not there"
            ]
        );
        assert!(suite.to_string().starts_with("s: 3 cases, 0 passed, 4 deliberate differences (a: why; b: why;"));
    }

    #[test]
    fn a_suite_without_cases_fails() {
        assert_eq!(suite(&[], &[]).failures(), ["no case was found"]);
    }
}
