//! Draws the dashboard: beside each other where there is room, one above the other where there is not.

use chrono::{DateTime, FixedOffset};
use longrun::Status;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Row, Table};

use crate::{Board, Seen, age};

/// Columns from which on counts have a place of their own.
const WIDE: u16 = 100;
/// Columns of the counts.
const COUNTS: u16 = 44;
/// Characters of a bar.
const BAR: u8 = 10;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, board: &Board, now: DateTime<FixedOffset>) {
    let [body, foot] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(frame.area());
    let is_wide = body.width >= WIDE;
    let (counts_area, lists) = if is_wide {
        let [left, right] = Layout::horizontal([Constraint::Length(COUNTS), Constraint::Fill(1)]).areas(body);
        (left, right)
    } else {
        let [top, below] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(body);
        (top, below)
    };
    if is_wide {
        frame.render_widget(counts_by_type(board), counts_area);
    } else {
        frame.render_widget(totals(board), counts_area);
    }
    let halves: [Rect; 2] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(lists);
    let [upper, lower] = halves;
    if board.only_failures {
        frame.render_widget(failures(board, lists.width, now), lists);
    } else {
        frame.render_widget(running(board, lists.width, now), upper);
        frame.render_widget(failures(board, lists.width, now), lower);
    }
    frame.render_widget(foot_line(board), foot);
}

fn counts_by_type(board: &Board) -> Table<'_> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut types: Vec<Option<&str>> = board.counts.iter().map(|(name, ..)| name).collect();
    types.dedup();
    for name in types {
        let mut cells = vec![Cell::from(plain(name.unwrap_or("(none)")))];
        cells.extend(Status::ALL.map(|status| number(board.counts.of_type(name, status), status)));
        rows.push(Row::new(cells));
    }
    let mut all = vec![Cell::from("all".bold())];
    all.extend(Status::ALL.map(|status| number(board.counts.of(status), status)));
    rows.push(Row::new(all));
    let widths = [Constraint::Fill(1)].into_iter().chain([Constraint::Length(6); 4]);
    let head = Row::new(["type", "wait", "run", "done", "failed"]).style(Style::new().dim());
    Table::new(rows, widths).header(head).block(Block::bordered().title(" counts "))
}

fn totals(board: &Board) -> Line<'_> {
    let words = ["wait", "run", "done", "failed"];
    let parts = Status::ALL.into_iter().zip(words).flat_map(|(status, word)| {
        let count = board.counts.of(status).to_string();
        [Span::styled(count, color(status)).bold(), Span::raw(format!(" {word}  "))]
    });
    parts.collect()
}

fn number(count: u64, status: Status) -> Cell<'static> {
    let style = if count == 0 { Style::new().dim() } else { color(status) };
    Cell::from(Line::from(count.to_string()).right_aligned()).style(style)
}

const fn color(status: Status) -> Style {
    Style::new().fg(match status {
        Status::NotStarted => Color::Reset,
        Status::Running => Color::Cyan,
        Status::Completed => Color::Green,
        Status::Failed => Color::Red,
    })
}

fn running(board: &Board, width: u16, now: DateTime<FixedOffset>) -> Table<'_> {
    let seen = board.running();
    let title = format!(" running: {} ", seen.len());
    let rows = seen.into_iter().map(|seen| {
        let progress = match (seen.is_cancelling, seen.percent) {
            (true, _) => "cancelling".to_owned(),
            (false, Some(percent)) => bar(percent),
            (false, None) => String::new(),
        };
        let since = age(seen.started.unwrap_or(seen.created), now);
        let pace = seen.pace().filter(|_| !seen.is_cancelling);
        let words: Vec<_> =
            pace.into_iter().chain((!seen.detail.is_empty()).then(|| seen.detail.clone())).collect();
        Row::new([plain(&seen.type_name), progress, since, name(seen, width), plain(&words.join("; "))])
    });
    let widths = if width >= WIDE / 2 + 10 {
        [
            Constraint::Length(10),
            Constraint::Length(16),
            Constraint::Length(12),
            Constraint::Fill(2),
            Constraint::Fill(2),
        ]
    } else {
        [
            Constraint::Length(8),
            Constraint::Length(16),
            Constraint::Length(9),
            Constraint::Fill(1),
            Constraint::Length(0),
        ]
    };
    Table::new(rows, widths).block(Block::bordered().title(title))
}

fn failures(board: &Board, width: u16, now: DateTime<FixedOffset>) -> Table<'_> {
    let seen = board.failures();
    let title = format!(" newest failures: {} ", seen.len());
    let rows = seen.into_iter().map(|seen| {
        let (code, message) = seen.failure.as_ref().map_or(("", ""), |(code, message)| (code, message));
        let code = Cell::from(plain(code)).style(color(Status::Failed));
        let ago = Cell::from(age(seen.last_action, now));
        Row::new([Cell::from(plain(&seen.type_name)), code, ago, name(seen, width).into(), plain(message).into()])
    });
    let name_width = if width >= WIDE / 2 + 10 { Constraint::Fill(2) } else { Constraint::Length(9) };
    let widths =
        [Constraint::Length(8), Constraint::Length(12), Constraint::Length(10), name_width, Constraint::Fill(3)];
    Table::new(rows, widths).block(Block::bordered().title(title))
}

/// Labels say more than ids; of an id that has to be short its end differs most.
fn name(seen: &Seen, width: u16) -> String {
    if !seen.labels.is_empty() {
        return plain(&seen.labels.join(" "));
    }
    let cut = if width >= WIDE { 0 } else { seen.id.len().saturating_sub(8) };
    seen.id.get(cut..).unwrap_or(&seen.id).to_owned()
}

fn bar(percent: u8) -> String {
    let full = usize::from(percent.min(100) / (100 / BAR));
    format!("{}{} {percent:>3} %", "█".repeat(full), "░".repeat(usize::from(BAR) - full))
}

fn foot_line(board: &Board) -> Line<'_> {
    if let Some(trouble) = &board.trouble {
        return Line::from(format!(" {} ", plain(trouble))).fg(Color::Red);
    }
    let filter = match (board.is_typing, &*board.filter) {
        (true, text) => format!("/{text}▏ Enter keeps, Esc clears"),
        (false, "") => String::new(),
        (false, text) => format!("/{text}  Esc clears"),
    };
    let failures = if board.only_failures { "f all" } else { "f failures" };
    Line::from(vec![" q quit  ".into(), failures.into(), "  / search  ".into(), filter.into()]).dim()
}

/// What comes from outside draws no escape sequence.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
