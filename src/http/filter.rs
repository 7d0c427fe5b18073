//! What of a `$filter` a list can serve page by page (PROTOCOL 106, 107).

use axum::http::StatusCode;

use super::expression::{Expression, parse};
use super::fault::Fault;
use crate::model::{OrderBy, Query, Status, Timestamp};

/// A condition beyond what lists serve.
fn not_supported(what: &str) -> Fault {
    let message = format!("`$filter` {what}");
    Fault::new(StatusCode::NOT_IMPLEMENTED, "filterNotSupported", message).about("$filter")
}

fn malformed(rule: &str) -> Fault {
    Fault::bad("invalidQueryOption", format!("`$filter` {rule}")).about("$filter")
}

/// Reads a filter into a query; which instant it bounds.
pub(super) fn read(text: &str, query: &mut Query) -> Result<Option<OrderBy>, Fault> {
    let expression = parse(text).ok_or_else(|| malformed("is no expression of OData"))?;
    let mut conditions = Vec::new();
    flatten(expression, &mut conditions);
    let mut plan = Plan { query, bounded: None };
    let refused: Vec<_> = conditions.iter().filter_map(|condition| plan.note(condition).err()).collect();
    // A wrong value is told before a condition that is not served.
    match refused.into_iter().min_by_key(Fault::status) {
        Some(fault) => Err(fault),
        None => Ok(plan.bounded),
    }
}

fn flatten(expression: Expression, into: &mut Vec<Expression>) {
    match expression {
        Expression::And(parts) => parts.into_iter().for_each(|part| flatten(part, into)),
        other => into.push(other),
    }
}

/// Checks what a filter that bounds an instant needs of the order.
pub(super) fn check(bounded: Option<OrderBy>, query: &Query) -> Result<(), Fault> {
    match bounded {
        Some(bounded) if bounded != query.order => Err(not_supported("must bound the instant of `$orderby`")),
        _ => Ok(()),
    }
}

struct Plan<'a> {
    query: &'a mut Query,
    /// The instant that is bounded.
    bounded: Option<OrderBy>,
}

impl Plan<'_> {
    fn note(&mut self, condition: &Expression) -> Result<(), Fault> {
        match condition {
            Expression::Or(parts) => {
                let mut statuses = Vec::new();
                for part in parts {
                    match part {
                        Expression::Compare("eq", left, right) if is_path(left, "status") => {
                            statuses.push(status(right)?);
                        }
                        _ => return Err(not_supported("can join nothing but values of `status` by or")),
                    }
                }
                self.statuses(statuses)
            }
            Expression::In(left, list) if is_path(left, "status") => {
                let statuses: Result<Vec<_>, _> = list.iter().map(status).collect();
                self.statuses(statuses?)
            }
            Expression::Compare(operator, left, right) => match &**left {
                Expression::Path(path) => self.compare(operator, path, right),
                _ => Err(not_supported("must compare a property with a value")),
            },
            _ => Err(not_supported("has a condition that lists cannot serve page by page")),
        }
    }

    fn compare(&mut self, operator: &str, path: &[String], right: &Expression) -> Result<(), Fault> {
        let names: Vec<_> = path.iter().map(String::as_str).collect();
        match (&*names, operator, right) {
            (["status"], "eq", Expression::Text(_) | Expression::Enum(_)) => self.statuses(vec![status(right)?]),
            (["type"], "eq", Expression::Text(name)) if self.query.type_name.is_none() => {
                self.query.type_name = Some(name.clone());
                Ok(())
            }
            (["group"], "eq", Expression::Text(name)) if self.query.group.is_none() => {
                self.query.group = Some(name.clone());
                Ok(())
            }
            (["labels", key], "eq", Expression::Text(value)) if self.query.label.is_none() => {
                self.query.label = Some(((*key).to_owned(), value.clone()));
                Ok(())
            }
            (["createdDateTime"], _, Expression::Date(date)) => self.bound(OrderBy::Created, operator, *date),
            (["lastActionDateTime"], _, Expression::Date(date)) => self.bound(OrderBy::LastAction, operator, *date),
            _ => Err(not_supported("has a comparison that lists cannot serve page by page")),
        }
    }

    fn statuses(&mut self, statuses: Vec<Status>) -> Result<(), Fault> {
        if !self.query.statuses.is_empty() {
            return Err(not_supported("can ask for `status` once"));
        }
        self.query.statuses = statuses;
        Ok(())
    }

    fn bound(&mut self, by: OrderBy, operator: &str, date: Timestamp) -> Result<(), Fault> {
        if self.bounded.is_some_and(|bounded| bounded != by) {
            return Err(not_supported("can bound one instant"));
        }
        self.bounded = Some(by);
        let (slot, bound) = match operator {
            "ge" => (&mut self.query.from, date),
            "gt" => (&mut self.query.from, date.next_tick()),
            "lt" => (&mut self.query.until, date),
            "le" => (&mut self.query.until, date.next_tick()),
            _ => return Err(not_supported("can bound an instant by gt, ge, lt and le")),
        };
        if slot.replace(bound).is_some() {
            return Err(not_supported("can bound an instant once on each side"));
        }
        Ok(())
    }
}

fn is_path(expression: &Expression, name: &str) -> bool {
    matches!(expression, Expression::Path(path) if matches!(&**path, [only] if only == name))
}

/// The status that a text or an enumeration value of any namespace names.
fn status(value: &Expression) -> Result<Status, Fault> {
    match value {
        Expression::Text(name) | Expression::Enum(name) => {
            name.parse().map_err(|_| malformed("names no status that there is"))
        }
        _ => Err(not_supported("can compare `status` with names only")),
    }
}
