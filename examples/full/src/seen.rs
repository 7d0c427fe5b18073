//! An operation as people see it, read from the JSON that the library writes.

use chrono::{DateTime, FixedOffset};
use longrun::wire::{self, Entity};
use longrun::{Operation, Status};
use serde_json::Value;

/// An operation as it is shown.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Seen {
    /// Its name.
    pub id: String,
    /// The kind of work; empty where it has none.
    pub type_name: String,
    /// Where it is.
    pub status: Status,
    /// How much is done.
    pub percent: Option<u8>,
    /// So much of so much, and the unit, where its work counts.
    pub amount: Option<(u64, u64, String)>,
    /// What its work says of itself.
    pub detail: String,
    /// `key=value`, in order.
    pub labels: Vec<String>,
    /// Code and message of how it failed.
    pub failure: Option<(String, String)>,
    /// When it was created.
    pub created: DateTime<FixedOffset>,
    /// When it moved to Running.
    pub started: Option<DateTime<FixedOffset>>,
    /// When it last moved or gave a sign of life.
    pub last_action: DateTime<FixedOffset>,
    /// Whether somebody asked it to end.
    pub is_cancelling: bool,
}

impl Seen {
    /// Reads the JSON of an entity; `None` where it is none.
    pub fn read(json: &Value) -> Option<Self> {
        let text = |name: &str| json.get(name).and_then(Value::as_str);
        let date = |name: &str| DateTime::parse_from_rfc3339(text(name)?).ok();
        let labels = json.get("labels").and_then(Value::as_object).into_iter().flatten();
        let failure = json.get("error").filter(|error| error.is_object()).map(|error| {
            let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            (part("code"), part("message"))
        });
        let amount = json.get("progress").and_then(|amount| {
            let number = |name: &str| amount.get(name).and_then(Value::as_u64);
            let unit = amount.get("unit").and_then(Value::as_str).unwrap_or_default();
            Some((number("done")?, number("total")?, unit.to_owned()))
        });
        Some(Self {
            amount,
            id: text("id")?.to_owned(),
            type_name: text("type").unwrap_or_default().to_owned(),
            status: text("status")?.parse().ok()?,
            percent: json.get("percentageComplete").and_then(Value::as_u64).and_then(|done| done.try_into().ok()),
            detail: text("statusDetail").unwrap_or_default().to_owned(),
            labels: labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect(),
            failure,
            created: date("createdDateTime")?,
            started: date("startedDateTime"),
            last_action: date("lastActionDateTime")?,
            is_cancelling: text("cancellationRequestedDateTime").is_some(),
        })
    }

    /// The same of an operation of this process.
    pub fn of(operation: &Operation) -> Option<Self> {
        Self::read(&json(operation))
    }

    /// How fast it goes, where its work counts, and how long it takes still if it goes on so: judged by what it
    /// had done when it last gave a sign of life.
    pub fn pace(&self) -> Option<String> {
        let elapsed = self.last_action.signed_duration_since(self.started?).as_seconds_f64();
        let (done, total) = match (&self.amount, self.percent) {
            (Some((done, total, _)), _) => (*done, *total),
            (None, percent) => (percent?.into(), 100),
        };
        if elapsed <= 0.0 || done == 0 {
            return None;
        }
        // Figures for people: exact below 2^53.
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let (rate, left) = (done as f64 / elapsed, total.saturating_sub(done) as f64);
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        let left = span((left / rate).ceil() as i64);
        Some(match &self.amount {
            Some((done, total, unit)) => format!("{done}/{total} {unit}, {rate:.1}/s, {left} left"),
            None => format!("{left} left"),
        })
    }

    /// Whether a text occurs in what is shown of it.
    pub fn contains(&self, text: &str) -> bool {
        let of_failure = self.failure.iter().flat_map(|(code, message)| [code, message]);
        let mut shown = [&self.id, &self.type_name, &self.detail].into_iter().chain(&self.labels).chain(of_failure);
        shown.any(|part| part.contains(text))
    }
}

/// An operation as HTTP would answer it.
pub(crate) fn json(operation: &Operation) -> Value {
    serde_json::from_str(&wire::to_json(&Entity::new(operation))).unwrap_or_default()
}

/// The time from one instant to another in two words at most: `3 d 4 h`, `12 min`, `5 s`.
pub fn age(from: DateTime<FixedOffset>, to: DateTime<FixedOffset>) -> String {
    span(to.signed_duration_since(from).num_seconds().max(0))
}

fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
