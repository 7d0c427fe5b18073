//! OData's query options (PROTOCOL 91, 103-111, 134).

use axum::http::StatusCode;

use super::fault::Fault;
use super::{filter, percent};
use crate::model::{OrderBy, PageToken, Query};

/// The members that `$select` can name.
const MEMBERS: [&str; 24] = [
    "id",
    "status",
    "createdDateTime",
    "lastActionDateTime",
    "type",
    "labels",
    "retryOf",
    "group",
    "uniqueKey",
    "traceParent",
    "progress",
    "log",
    "deadlineDateTime",
    "percentageComplete",
    "statusDetail",
    "percentComplete",
    "resourceId",
    "resourceLocation",
    "result",
    "error",
    "holder",
    "startedDateTime",
    "cancellationRequestedDateTime",
    "*",
];
/// Options that OData has and this server does not (PROTOCOL 109).
const UNSUPPORTED: [&str; 10] =
    ["expand", "search", "apply", "compute", "skip", "levels", "deltatoken", "index", "schemaversion", "id"];

/// What a request may ask in its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Nothing.
    Nothing,
    /// `$format`.
    Format,
    /// `$select` and `$format`.
    Entity,
    /// All of a list.
    List,
    /// `$deltatoken`, where a feed begins.
    Feed,
}

/// The query of one request, read.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) format: Option<String>,
    /// Absent or `*`: all members.
    pub(super) select: Option<Vec<String>>,
    /// `$top`, which may be 0.
    pub(super) top: Option<u32>,
    /// `$count=true`.
    pub(super) counts: bool,
    /// `$deltatoken=latest`: what is there already is not asked for.
    pub(super) latest: bool,
    /// `$filter`, `$orderby` and `$skiptoken`.
    pub(super) query: Query,
    /// The instant that `$filter` bounds.
    pub(super) bounded: Option<OrderBy>,
    /// All options but `$skiptoken` as they were sent, to be sent again.
    pub(super) again: Vec<(String, String)>,
}

impl Options {
    /// The `(a,b)` of the context URL.
    pub(super) fn selected(&self) -> String {
        self.select.as_ref().map(|names| format!("({})", names.join(","))).unwrap_or_default()
    }
}

/// Reads the query of a request. Malformed options come before unsupported ones.
pub(super) fn read(query: Option<&str>, asks: Asks) -> Result<Options, Fault> {
    let mut given: Vec<(String, String)> = Vec::new();
    let mut options = Options::default();
    for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let decode = |text: &str| percent::decode(&spaces(text)).filter(|text| !text.contains('\0'));
        let (Some(name), Some(value)) = (decode(name), decode(value)) else {
            return Err(Fault::bad("invalidQueryOption", "the query must be percent-encoded UTF-8"));
        };
        let Some(option) = system(&name)? else { continue };
        if given.iter().any(|(other, _)| *other == option) {
            let fault = Fault::bad("duplicateQueryOption", format!("`${option}` must not be given twice"));
            return Err(fault.about(format!("${option}")));
        }
        if option != "skiptoken" {
            options.again.push((format!("${option}"), value.clone()));
        }
        given.push((option, value));
    }
    let mut unsupported = None;
    for (name, value) in &given {
        if UNSUPPORTED.contains(&&**name) && !(asks == Asks::Feed && name == "deltatoken") {
            unsupported = unsupported.or_else(|| Some(not_supported(name)));
        } else if !applies(name, asks) {
            return Err(invalid(name, "does not apply to this address"));
        } else if let Err(fault) = options.note(name, value) {
            if fault.status() != StatusCode::NOT_IMPLEMENTED {
                return Err(fault);
            }
            unsupported = unsupported.or(Some(fault));
        }
    }
    if let Some(fault) = unsupported {
        return Err(fault);
    }
    options.check()?;
    Ok(options)
}

/// The canonical name of a system query option, with or without `$`, in any case; `None` for a custom one.
fn system(name: &str) -> Result<Option<String>, Fault> {
    const KNOWN: [&str; 7] = ["filter", "select", "orderby", "top", "count", "skiptoken", "format"];
    let plain = name.strip_prefix('$').unwrap_or(name).to_ascii_lowercase();
    if KNOWN.contains(&&*plain) || UNSUPPORTED.contains(&&*plain) {
        // `id` without `$` is somebody's own.
        return Ok(Some(plain).filter(|plain| plain != "id" || name.starts_with('$')));
    }
    if name.starts_with('$') {
        return Err(Fault::bad("unknownQueryOption", "there is no such query option").about(name));
    }
    Ok(None)
}

fn applies(name: &str, asks: Asks) -> bool {
    match asks {
        Asks::Nothing => false,
        Asks::Format => name == "format",
        Asks::Entity => name == "format" || name == "select",
        Asks::List => true,
        Asks::Feed => name == "deltatoken",
    }
}

/// A literal `+` is a space of form encoding, but for the sign of a date's offset.
fn spaces(text: &str) -> String {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    text.char_indices()
        .map(|(at, c)| {
            let signs = is_digit(at.checked_sub(1))
                && is_digit(Some(at + 1))
                && is_digit(Some(at + 2))
                && matches!(text.get(at + 3..), Some(rest) if rest.starts_with(':') || rest.starts_with("%3"));
            if c == '+' && !signs { ' ' } else { c }
        })
        .collect()
}

fn invalid(name: &str, rule: &str) -> Fault {
    Fault::bad("invalidQueryOption", format!("`${name}` {rule}")).about(format!("${name}"))
}

fn not_supported(name: &str) -> Fault {
    let message = format!("`${name}` is not supported");
    Fault::new(StatusCode::NOT_IMPLEMENTED, "queryOptionNotSupported", message).about(format!("${name}"))
}

impl Options {
    fn note(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let trimmed = value.trim();
        match name {
            "format" => self.format = Some(trimmed.to_owned()),
            "select" => self.select = select(trimmed)?,
            "top" => {
                let is_number = !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit());
                if !is_number {
                    return Err(invalid(name, "must be a whole number"));
                }
                // Beyond what a page holds it makes no difference.
                self.top = Some(trimmed.parse().unwrap_or(u32::MAX));
            }
            "count" => {
                self.counts = match trimmed {
                    "true" => true,
                    "false" => false,
                    _ => return Err(invalid(name, "must be true or false")),
                };
            }
            // As Graph's delta queries say that they want nothing but what comes.
            "deltatoken" if trimmed == "latest" => self.latest = true,
            "deltatoken" => return Err(invalid(name, "must be `latest`; `Last-Event-ID` goes on from a place")),
            "skiptoken" => {
                let token: PageToken = value
                    .parse()
                    .map_err(|_| Fault::bad("invalidSkipToken", "`$skiptoken` is none that this list gave"))?;
                self.query.after = Some(token);
            }
            "orderby" => self.order_by(trimmed)?,
            _ => self.bounded = filter::read(value, &mut self.query)?,
        }
        Ok(())
    }

    fn order_by(&mut self, value: &str) -> Result<(), Fault> {
        let mut keys = Vec::new();
        for item in value.split(',') {
            let mut words = item.split_whitespace();
            let key = words.next().filter(|key| key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
            let descends = match words.next() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(_) => return Err(invalid("orderby", "must be names, each with asc or desc")),
            };
            match (key, words.next()) {
                (Some(key), None) => keys.push((key, descends)),
                _ => return Err(invalid("orderby", "must be names, each with asc or desc")),
            }
        }
        let (order, descends) = match *keys {
            [("createdDateTime", descends)] => (OrderBy::Created, descends),
            [("lastActionDateTime", descends)] => (OrderBy::LastAction, descends),
            _ => return Err(not_supported("orderby")),
        };
        (self.query.order, self.query.descending) = (order, descends);
        Ok(())
    }

    /// What one option says about another.
    fn check(&mut self) -> Result<(), Fault> {
        filter::check(self.bounded, &self.query)?;
        self.query.check().map_err(|unfit| match &*unfit.field {
            "skiptoken" => Fault::bad("invalidSkipToken", "`$skiptoken` is of another list").about("$skiptoken"),
            _ => not_supported("orderby"),
        })
    }
}

fn select(value: &str) -> Result<Option<Vec<String>>, Fault> {
    let mut names = Vec::new();
    for name in value.split(',').map(str::trim) {
        if name.contains(['/', '(']) {
            return Err(not_supported("select"));
        }
        if !MEMBERS.contains(&name) {
            return Err(invalid("select", "must name properties of an operation"));
        }
        if !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
    }
    Ok(Some(names).filter(|names| !names.iter().any(|name| name == "*")))
}
