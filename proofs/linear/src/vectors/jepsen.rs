//! Jepsen's logs of etcd: one register with read, write and compare-and-set.
//!
//! A line that counts reads `INFO  jepsen.util - PROCESS :TYPE :FUNCTION VALUE`. The type is `invoke`,
//! `ok`, `fail` (it did not take effect) or `info` (nobody knows). A read that timed out is `fail`.

use super::{BadLine, Pairing};
use crate::{Call, End, Model, whole};

/// What a client asks of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Its value.
    Read,
    /// To hold this value.
    Write(i64),
    /// To hold `to` if it holds `from`.
    CompareAndSet {
        /// The value it must hold.
        from: i64,
        /// The value it then holds.
        to: i64,
    },
}

/// What the register answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The value read, `None` before the first write.
    Value(Option<i64>),
    /// Written.
    Written,
    /// Whether the value compared equal and was set.
    Set(bool),
}

/// The register.
#[derive(Clone, Copy, Debug)]
pub struct Register;

impl Model for Register {
    type State = Option<i64>;
    type Input = Ask;
    type Output = Answer;

    fn init(&self) -> Self::State {
        None
    }

    fn step(&self, state: &Self::State, input: &Self::Input, output: Option<&Self::Output>) -> Option<Self::State> {
        let (real, after) = match *input {
            Ask::Read => (Answer::Value(*state), *state),
            Ask::Write(value) => (Answer::Written, Some(value)),
            Ask::CompareAndSet { from, to } => {
                let equal = *state == Some(from);
                (Answer::Set(equal), if equal { Some(to) } else { *state })
            }
        };
        output.is_none_or(|output| *output == real).then_some(after)
    }

    fn partition(&self, calls: &[Call<Ask, Answer>]) -> Vec<Vec<usize>> {
        whole(calls)
    }
}

/// Reads a log; the numbers of its lines are the instants.
///
/// # Errors
/// If a line of the log's own kind makes no sense. Lines of other kinds are none of the history.
pub fn read(log: &str) -> Result<Vec<Call<Ask, Answer>>, BadLine> {
    let mut pairing = Pairing::new();
    for (line, text) in (1..).zip(log.lines()) {
        let mut words = text.split_whitespace();
        if words.by_ref().take(3).ne(["INFO", "jepsen.util", "-"]) {
            continue;
        }
        let bad = |reason| BadLine { line, reason };
        let process = words.next().and_then(|word| word.parse::<u64>().ok());
        let (Some(process), Some(kind), Some(function)) = (process, words.next(), words.next()) else {
            // Jepsen reports its own doings (the nemesis, say) under the same head.
            continue;
        };
        let value: Vec<&str> = words.map(|word| word.trim_matches(['[', ']'])).collect();
        match kind {
            ":invoke" => {
                let input = ask(function, &value).ok_or(bad("an unknown call"))?;
                pairing.asks(line, process, input);
            }
            ":ok" | ":fail" if value == [":timed-out"] => {
                // Only reads end so, and a read that nobody saw changes nothing.
                if function != ":read" {
                    return Err(bad("a call that timed out is said to have failed"));
                }
                pairing.answered(line, &process)?;
            }
            ":ok" | ":fail" => {
                let output = answer(function, kind == ":ok", &value).ok_or(bad("an unknown answer"))?;
                pairing.answered(line, &process)?.end = End::Answered { at: line, output };
            }
            ":info" => {}
            _ => return Err(bad("an unknown type of line")),
        }
    }
    Ok(pairing.calls)
}

fn ask(function: &str, value: &[&str]) -> Option<Ask> {
    match (function, value) {
        (":read", ["nil"]) => Some(Ask::Read),
        (":write", [value]) => Some(Ask::Write(value.parse().ok()?)),
        (":cas", [from, to]) => Some(Ask::CompareAndSet { from: from.parse().ok()?, to: to.parse().ok()? }),
        _ => None,
    }
}

fn answer(function: &str, ok: bool, value: &[&str]) -> Option<Answer> {
    match (function, ok, value) {
        (":read", true, ["nil"]) => Some(Answer::Value(None)),
        (":read", true, [value]) => Some(Answer::Value(Some(value.parse().ok()?))),
        (":write", true, [_]) => Some(Answer::Written),
        (":cas", ok, [_, _]) => Some(Answer::Set(ok)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
INFO  jepsen.core - Worker 0 starting
INFO  jepsen.util - 0\t:invoke\t:write\t3
INFO  jepsen.util - 1\t:invoke\t:cas\t[3 4]
INFO  jepsen.util - 0\t:info\t:write\t:timed-out
INFO  jepsen.util - 1\t:ok\t:cas\t[3 4]
INFO  jepsen.util - 2\t:invoke\t:read\tnil
INFO  jepsen.util - 2\t:fail\t:read\t:timed-out
INFO  jepsen.util - 2\t:invoke\t:read\tnil
INFO  jepsen.util - 2\t:ok\t:read\t4
";

    #[test]
    fn a_log_becomes_calls() {
        let cas = Ask::CompareAndSet { from: 3, to: 4 };
        let calls = [
            Call::open(2, Ask::Write(3)),
            Call::answered(3, 5, cas, Answer::Set(true)),
            Call::open(6, Ask::Read),
            Call::answered(8, 9, Ask::Read, Answer::Value(Some(4))),
        ];
        assert_eq!(read(LOG), Ok(calls.to_vec()));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let bad = |log, line, reason| assert_eq!(read(log), Err(BadLine { line, reason }));
        let answer = "INFO  jepsen.util - 0\t:ok\t:write\t3\n";
        bad(answer, 1, "an answer to a process that asked nothing");
        bad("\nINFO jepsen.util - 0 :invoke :push 3", 2, "an unknown call");
        bad("INFO jepsen.util - 0 :maybe :write 3", 1, "an unknown type of line");
    }

    #[test]
    fn a_failed_compare_and_set_saw_another_value() {
        let cas = Ask::CompareAndSet { from: 1, to: 2 };
        assert_eq!(Register.step(&Some(1), &cas, Some(&Answer::Set(false))), None);
        assert_eq!(Register.step(&Some(3), &cas, Some(&Answer::Set(false))), Some(Some(3)));
        assert_eq!(Register.step(&Some(1), &cas, None), Some(Some(2)));
    }
}
