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

    /// Conditions on what `typed` binds, from a parameter on.
    fn own(&self, table: &str, first: u8) -> String {
        let columns =
            [self.query.type_name.as_ref().map(|_| "type"), self.query.group.as_ref().map(|_| "group_name")];
        let numbered = columns.into_iter().flatten().zip(first..);
        let conditions: Vec<_> =
            numbered.map(|(column, number)| format!(" AND {table}.{column} = ${number}")).collect();
        conditions.concat()
    }

    /// Without a label: `$5` is the limit, then come type and group.
    fn plain(&self) -> String {
        let Self { schema, .. } = self;
        let (at, range, own) = (self.at(), self.range("o"), self.own("o", 6));
        let order = self.order(&format!("o.{at}"), "o.id");
        let arms = self.statuses.iter().map(|status| {
            format!(
                "(SELECT o.{at} AS at, o.id, o.record FROM {schema}.operation o \
                 WHERE o.status = {status}{own} AND {range} {order} LIMIT $5)"
            )
        });
        let arms = arms.collect::<Vec<_>>().join(" UNION ALL ");
        format!("SELECT at, id, record FROM ({arms}) o {} LIMIT $5", self.order("at", "id"))
    }

    /// All attempts at one thing, which are few: `$5` is the base, `$6` the limit, `$7` and `$8` the label if
    /// one is asked for, then come type and group.
    fn chain(&self) -> String {
        let Self { schema, .. } = self;
        let (at, range, statuses) = (self.at(), self.range("o"), self.in_statuses());
        let (labelled, own) = match self.query.label {
            Some(_) => (
                format!(
                    " AND EXISTS (SELECT FROM {schema}.label l WHERE l.name = $7 AND l.value = $8 \
                     AND l.created = o.created AND l.id = o.id)"
                ),
                self.own("o", 9),
            ),
            None => (String::new(), self.own("o", 7)),
        };
        format!(
            "SELECT o.{at} AS at, o.id, o.record FROM {schema}.operation o \
             WHERE o.id = ANY (ARRAY(SELECT $5 UNION ALL SELECT l.id FROM {schema}.label l \
             WHERE l.name = '' AND l.value = $5)) AND o.status IN ({statuses}){own}{labelled} AND {range} {} LIMIT $6",
            self.order(&format!("o.{at}"), "o.id")
        )
    }

    fn in_statuses(&self) -> String {
        self.statuses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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

    /// With a label: `$8` is the limit, then come type and group.
    fn labelled(&self) -> String {
        let Self { schema, .. } = self;
        let candidates = self.candidates(", o.created, o.type, o.group_name, o.record");
        let order = self.order("c.at", "c.id");
        match self.query.order {
            OrderBy::LastAction => {
                let own = self.own("c", 9);
                format!(
                    "SELECT c.at, c.id, c.record FROM ({candidates}) c WHERE EXISTS (\
                     SELECT FROM {schema}.label l WHERE l.name = $5 AND l.value = $6 \
                     AND l.created = c.created AND l.id = c.id){own} {order} LIMIT $8"
                )
            }
            OrderBy::Created => {
                let (statuses, own) = (self.in_statuses(), self.own("o", 9));
                format!(
                    "SELECT c.at, c.id, o.record FROM ({candidates}) c JOIN {schema}.operation o \
                     ON o.id = c.id AND o.created = c.at AND o.status IN ({statuses}){own} {order} LIMIT $8"
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
        let rows = match (&query.base, &query.label) {
            (Some(base), label) => {
                let text = list.chain();
                let ask = || {
                    let ask = list.bounds(text.clone()).bind(base.to_string()).bind(wanted);
                    let ask =
                        label.iter().fold(ask, |ask, (name, value)| ask.bind(name.clone()).bind(value.clone()));
                    typed(ask, query)
                };
                self.ask(ask).await?
            }
            (None, None) => {
                let text = list.plain();
                self.ask(|| typed(list.bounds(text.clone()).bind(wanted), query)).await?
            }
            (None, Some((name, value))) => {
                let text = list.labelled();
                let ask = || {
                    let ask = list.bounds(text.clone()).bind(name.clone()).bind(value.clone());
                    typed(ask.bind(looks).bind(wanted), query)
                };
                self.ask(ask).await?
            }
        };
        let mut items = Vec::with_capacity(rows.len());
        let (mut unreadable, mut end) = (Vec::new(), None);
        for row in rows.iter().take(limit) {
            let id = id_column(row, 1)?;
            let read = decode_live(&id, column(row, 2)?);
            self.note_read(&id, &read);
            match read {
                Err(StoreError::Corrupt(_)) => unreadable.push(id.clone()),
                read => items.push(read?),
            }
            end = Some((column::<i64>(row, 0)?, id));
        }
        let more = match &query.label {
            _ if rows.len() > limit => end,
            Some((name, value)) if query.base.is_none() => {
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
            _ => None,
        };
        Ok(Page::new(items, more.map(|(ticks, id)| query.token(ticks, id))).without(unreadable))
    }
}

fn typed(ask: SqlQuery<'static, Postgres, PgArguments>, query: &Query) -> SqlQuery<'static, Postgres, PgArguments> {
    [&query.type_name, &query.group].into_iter().flatten().fold(ask, |ask, name| ask.bind(name.clone()))
}
