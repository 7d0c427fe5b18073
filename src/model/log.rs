//! What an operation said last: its details, with their times.

use super::timestamp::Timestamp;

/// Details kept at most.
pub(crate) const MAX_LINES: usize = 20;
/// Bytes of their texts at most.
pub(crate) const MAX_BYTES: usize = 8 * 1024;

/// One detail and when it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    pub(crate) text: Box<str>,
}

/// Adds a line; the oldest go where there are too many.
pub(crate) fn push(lines: &mut Vec<Line>, line: Line) {
    lines.push(line);
    let mut bytes = 0_usize;
    let fit = lines.iter().rev().take(MAX_LINES).take_while(|line| {
        bytes = bytes.saturating_add(line.text.len());
        bytes <= MAX_BYTES
    });
    let surplus = lines.len().saturating_sub(fit.count());
    lines.drain(..surplus);
}
