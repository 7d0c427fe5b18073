//! Logs of a key-value store with get, put and append: one line
//! `{:process P, :type :T, :f :F, :key "K", :value "V"}` per question (`invoke`) and answer (`ok`).

use super::{BadLine, Pairing};
use crate::{Call, End, Model, by_key};

/// What a client asks of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Of which key.
    pub key: String,
    /// What.
    pub verb: Verb,
}

/// What is asked of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Its text, empty if nothing was ever put.
    Get,
    /// To hold this text.
    Put(String),
    /// To hold this text behind what it holds.
    Append(String),
}

/// The store: independent keys, each holding a text. A get is answered with the text, a put and an
/// append with nothing that counts.
#[derive(Clone, Copy, Debug)]
pub struct Store;

impl Model for Store {
    type State = String;
    type Input = Ask;
    type Output = String;

    fn init(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, input: &Ask, output: Option<&String>) -> Option<String> {
        match &input.verb {
            Verb::Get => output.is_none_or(|output| output == state).then(|| state.clone()),
            Verb::Put(text) => Some(text.clone()),
            Verb::Append(text) => Some(format!("{state}{text}")),
        }
    }

    fn partition(&self, calls: &[Call<Ask, String>]) -> Vec<Vec<usize>> {
        by_key(calls, |ask| ask.key.clone())
    }
}

/// Reads a log; the numbers of its lines are the instants.
///
/// # Errors
/// If a line makes no sense.
pub fn read(log: &str) -> Result<Vec<Call<Ask, String>>, BadLine> {
    let mut pairing = Pairing::new();
    for (line, text) in (1..).zip(log.lines()) {
        let Entry { process, kind, function, key, value } =
            entry(text).ok_or(BadLine { line, reason: "not an entry of such a log" })?;
        match kind {
            "invoke" => {
                let verb = match (function, value) {
                    ("get", None) => Verb::Get,
                    ("put", Some(text)) => Verb::Put(text.to_owned()),
                    ("append", Some(text)) => Verb::Append(text.to_owned()),
                    _ => {
                        return Err(BadLine { line, reason: "an unknown call" });
                    }
                };
                pairing.asks(line, process, Ask { key: key.to_owned(), verb });
            }
            "ok" => {
                let output = value.unwrap_or_default().to_owned();
                pairing.answered(line, &process)?.end = End::Answered { at: line, output };
            }
            _ => {
                return Err(BadLine { line, reason: "an unknown type of line" });
            }
        }
    }
    Ok(pairing.calls)
}

struct Entry<'a> {
    process: u64,
    kind: &'a str,
    function: &'a str,
    key: &'a str,
    value: Option<&'a str>,
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let rest = line.strip_prefix("{:process ")?.strip_suffix('}')?;
    let (process, rest) = rest.split_once(", :type :")?;
    let (kind, rest) = rest.split_once(", :f :")?;
    let (function, rest) = rest.split_once(", :key \"")?;
    let (key, value) = rest.split_once("\", :value ")?;
    let value = match value {
        "nil" => None,
        quoted => Some(quoted.strip_prefix('"')?.strip_suffix('"')?),
    };
    Some(Entry { process: process.parse().ok()?, kind, function, key, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    const LOG: &str = r#"{:process 1, :type :invoke, :f :append, :key "0", :value "x"}
{:process 2, :type :invoke, :f :get, :key "0", :value nil}
{:process 1, :type :ok, :f :append, :key "0", :value "x"}
{:process 2, :type :ok, :f :get, :key "0", :value ""}
{:process 2, :type :invoke, :f :get, :key "0", :value nil}
{:process 2, :type :ok, :f :get, :key "0", :value "x"}
"#;

    #[test]
    fn a_log_becomes_calls_that_can_be_judged() {
        let calls = read(LOG).unwrap();
        assert_eq!(calls.len(), 3);
        assert!(check(&Store, &calls).unwrap().is_linearizable());
        let stale = LOG.replace(r#":value "x"}"#, r#":value "y"}"#);
        let stale = stale.replacen(r#":value "y"}"#, r#":value "x"}"#, 2);
        assert!(!check(&Store, &read(&stale).unwrap()).unwrap().is_linearizable());
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let reason = "not an entry of such a log";
        assert_eq!(read("{:process x}"), Err(BadLine { line: 1, reason }));
    }
}
