//! Lists, by keyset: each status is one range of one index, and the ranges are merged.

use sqlx::postgres::PgArguments;
use sqlx::query::Query as SqlQuery;
use sqlx::{AssertSqlSafe, Postgres};

use super::Shared;
use super::row::{column, decode_live, id_column};
use crate::model::{OperationId, OrderBy, Page, Query, Status};
use crate::store::{StoreError, place};

/// A list as SQL. Only numbers and fixed words vary in the text; everything else is bound.
struct List<'a> {
    query: &'a Query,
    schema: &'a str,
    statuses: Vec<usize>,
}

impl<'a> List<'a> {
    fn new(query: &'a Query, schema: &'a str) -> Self {
        let asked = if query.statuses.is_empty() { &Status::ALL[..] } else { &query.statuses[..] };
        let mut statuses: Vec<usize> = asked.iter().map(|status| place(*status)).collect();
        statuses.sort_unstable();
        statuses.dedup();
        Self { query, schema, statuses }
    }

    /// The column that the list is ordered by.
    fn at(&self) -> &'static str {
        match self.query.order {
            OrderBy::LastAction => "ended",
            OrderBy::Created => "created",
        }
    }

    /// `$1` and `$2` bound the instant, `($3, $4)` is where the page before ended.
    fn range(&self, table: &str) -> String {
        let (at, beyond) = (self.at(), if self.query.descending { '<' } else { '>' });
        format!("{table}.{at} >= $1 AND {table}.{at} < $2 AND ({table}.{at}, {table}.id) {beyond} ($3, $4)")
    }

    fn order(&self, at: &str, id: &str) -> String {
        let way = if self.query.descending { " DESC" } else { "" };
        format!("ORDER BY {at}{way}, {id}{way}")
    }

    fn of_type(&self, parameter: u8) -> String {
        self.query.type_name.as_ref().map(|_| format!(" AND o.type = ${parameter}")).unwrap_or_default()
    }

    /// Without a label: `$5` is the limit, `$6` the type.
    fn plain(&self) -> String {
        let Self { schema, .. } = self;
        let (at, range, of_type) = (self.at(), self.range("o"), self.of_type(6));
        let order = self.order(&format!("o.{at}"), "o.id");
        let arms = self.statuses.iter().map(|status| {
            format!(
                "(SELECT o.{at} AS at, o.id, o.record FROM {schema}.operation o \
                 WHERE o.status = {status}{of_type} AND {range} {order} LIMIT $5)"
            )
        });
        let arms = arms.collect::<Vec<_>>().join(" UNION ALL ");
        format!("SELECT at, id, record FROM ({arms}) o {} LIMIT $5", self.order("at", "id"))
    }

    /// Candidates of a list by label: `$5` and `$6` are the label, `$7` how many to look at.
    fn candidates(&self, columns: &str) -> String {
        let Self { schema, .. } = self;
        match self.query.order {
            OrderBy::LastAction => {
                let status = self.statuses.first().copied().unwrap_or_default();
                let (range, order) = (self.range("o"), self.order("o.ended", "o.id"));
                format!(
                    "SELECT o.ended AS at, o.id{columns} FROM {schema}.operation o \
                     WHERE o.status = {status} AND {range} {order} LIMIT $7"
                )
            }
            OrderBy::Created => {
                let (range, order) = (self.range("l"), self.order("l.created", "l.id"));
                format!(
                    "SELECT l.created AS at, l.id FROM {schema}.label l \
                     WHERE l.name = $5 AND l.value = $6 AND {range} {order} LIMIT $7"
                )
            }
        }
    }

    /// With a label: `$8` is the limit, `$9` the type.
    fn labelled(&self) -> String {
        let Self { schema, .. } = self;
        let candidates = self.candidates(", o.created, o.type, o.record");
        let order = self.order("c.at", "c.id");
        match self.query.order {
            OrderBy::LastAction => {
                let of_type = self.query.type_name.as_ref().map_or("", |_| " AND c.type = $9");
                format!(
                    "SELECT c.at, c.id, c.record FROM ({candidates}) c WHERE EXISTS (\
                     SELECT FROM {schema}.label l WHERE l.name = $5 AND l.value = $6 \
                     AND l.created = c.created AND l.id = c.id){of_type} {order} LIMIT $8"
                )
            }
            OrderBy::Created => {
                let statuses = self.statuses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let of_type = self.of_type(9);
                format!(
                    "SELECT c.at, c.id, o.record FROM ({candidates}) c JOIN {schema}.operation o \
                     ON o.id = c.id AND o.created = c.at AND o.status IN ({statuses}){of_type} {order} LIMIT $8"
                )
            }
        }
    }

    /// The last candidate, where there are as many as may be looked at.
    fn last_candidate(&self) -> String {
        format!("SELECT at, id FROM ({}) c OFFSET $7 - 1", self.candidates(""))
    }

    fn bounds(&self, text: String) -> SqlQuery<'static, Postgres, PgArguments> {
        let Query { from, until, after, descending, .. } = self.query;
        let from = from.map_or(i64::MIN, crate::model::Timestamp::ticks);
        let until = until.map_or(i64::MAX, crate::model::Timestamp::ticks);
        let (ticks, id) = match after {
            Some(token) => (token.ticks(), token.id().to_string()),
            None if *descending => (i64::MAX, String::new()),
            None => (i64::MIN, String::new()),
        };
        sqlx::query(AssertSqlSafe(text)).bind(from).bind(until).bind(ticks).bind(id)
    }
}

impl Shared {
    pub(super) async fn page(&self, query: &Query) -> Result<Page, StoreError> {
        let list = List::new(query, &self.statements.schema);
        let limit = usize::try_from(query.limit.get()).unwrap_or(usize::MAX);
        let wanted = i64::from(query.limit.get()).saturating_add(1);
        let looks = i64::try_from(Query::MAX_CANDIDATES).unwrap_or(i64::MAX);
        let rows = match &query.label {
            None => {
                let text = list.plain();
                self.ask(|| typed(list.bounds(text.clone()).bind(wanted), query)).await?
            }
            Some((name, value)) => {
                let text = list.labelled();
                let ask = || {
                    let ask = list.bounds(text.clone()).bind(name.clone()).bind(value.clone());
                    typed(ask.bind(looks).bind(wanted), query)
                };
                self.ask(ask).await?
            }
        };
        let mut items = Vec::with_capacity(rows.len());
        let mut end = None;
        for row in rows.iter().take(limit) {
            let id = id_column(row, 1)?;
            items.push(*decode_live(&id, column(row, 2)?)?);
            end = Some((column::<i64>(row, 0)?, id));
        }
        let more = match &query.label {
            _ if rows.len() > limit => end,
            Some((name, value)) => {
                let text = list.last_candidate();
                let ask = || {
                    let ask = list.bounds(text.clone()).bind(name.clone()).bind(value.clone());
                    ask.bind(looks).bind(wanted)
                };
                let rows = self.ask(ask).await?;
                rows.first()
                    .map(|row| Ok::<(i64, OperationId), StoreError>((column(row, 0)?, id_column(row, 1)?)))
                    .transpose()?
            }
            None => None,
        };
        Ok(Page::new(items, more.map(|(ticks, id)| query.token(ticks, id))))
    }
}

fn typed(ask: SqlQuery<'static, Postgres, PgArguments>, query: &Query) -> SqlQuery<'static, Postgres, PgArguments> {
    match &query.type_name {
        Some(name) => ask.bind(name.clone()),
        None => ask,
    }
}
