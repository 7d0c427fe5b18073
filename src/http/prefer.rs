//! `Prefer` and what of it was applied (RFC 7240, OData 8.2.8; PROTOCOL 87-90, 105, 112-114, 132).

use std::time::Duration;

use axum::http::HeaderMap;

/// The longest that a request may wait.
const MAX_WAIT: u64 = 60;

/// The preferences that this server knows; all others are ignored. Of one given twice the first counts.
#[derive(Debug, Default)]
pub(super) struct Prefer {
    /// `return=minimal` or `return=representation`.
    pub(super) returns: Option<Return>,
    /// `wait`, capped.
    pub(super) wait: Option<Duration>,
    /// `maxpagesize`, and the name it came by.
    pub(super) page_size: Option<(u32, &'static str)>,
    /// `omit-values=nulls`.
    pub(super) omit_nulls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    Minimal,
    Representation,
}

impl Prefer {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        for value in headers.get_all("prefer") {
            // What is no text names no preference that we know.
            for preference in value.to_str().map(split).unwrap_or_default() {
                prefer.note(preference);
            }
        }
        prefer
    }

    fn note(&mut self, preference: &str) {
        let token = preference.split(';').next().unwrap_or_default();
        let (name, value) = token.split_once('=').unwrap_or((token, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
        match name.strip_prefix("odata.").unwrap_or(&name) {
            "return" if self.returns.is_none() => {
                self.returns = match value {
                    "minimal" => Some(Return::Minimal),
                    "representation" => Some(Return::Representation),
                    _ => None,
                };
            }
            "wait" if self.wait.is_none() => {
                self.wait = value.parse().ok().map(|wait: u64| Duration::from_secs(wait.min(MAX_WAIT)));
            }
            "maxpagesize" if self.page_size.is_none() => {
                let known = if name.starts_with("odata.") { "odata.maxpagesize" } else { "maxpagesize" };
                self.page_size = value.parse().ok().filter(|size| *size > 0).map(|size| (size, known));
            }
            "omit-values" => self.omit_nulls |= value.eq_ignore_ascii_case("nulls"),
            _ => {}
        }
    }
}

/// The elements of a list, split at commas outside quotes.
fn split(list: &str) -> Vec<&str> {
    let mut quoted = false;
    list.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .collect()
}
