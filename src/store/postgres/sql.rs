//! The statements of one store, spelled out once when it is opened.

use std::sync::Arc;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};

use super::options::PostgresOptions;

/// Low bits of a place in the feed: which change of its transaction; the rest is the transaction's number.
pub(super) const BITS: u32 = 18;

/// A statement whose only variable parts are bound, numbers, or the checked name of the schema.
#[derive(Clone, Debug)]
pub(super) struct Statement(Arc<str>);

impl Statement {
    pub(super) fn query(&self) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(AssertSqlSafe(Arc::clone(&self.0)))
    }
}

/// How long a write may wait for a row that somebody else has locked, and in whose transaction it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// In its own transaction, for a moment: others wait behind it.
    Short,
    /// In its own transaction, alone.
    Long,
    /// In the user's transaction, by the user's own settings.
    Within,
}

/// One statement for each [`Patience`].
#[derive(Debug)]
pub(super) struct Thrice {
    short: Statement,
    long: Statement,
    within: Statement,
}

impl Thrice {
    pub(super) fn get(&self, patience: Patience) -> &Statement {
        match patience {
            Patience::Short => &self.short,
            Patience::Long => &self.long,
            Patience::Within => &self.within,
        }
    }
}

/// All statements but those of lists, which are made as they are asked for.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) create: Thrice,
    pub(super) swap: Thrice,
    pub(super) remove: Thrice,
    pub(super) create_group: Statement,
    pub(super) swap_group: Statement,
    pub(super) remove_group: Statement,
    pub(super) load: Statement,
    pub(super) load_group: Statement,
    pub(super) taken: Statement,
    pub(super) counts: Statement,
    pub(super) group_counts: Statement,
    pub(super) types: Statement,
    pub(super) fold: Statement,
    pub(super) quiet: Statement,
    pub(super) orphaned: Statement,
    pub(super) due: Statement,
    pub(super) renew: Statement,
    pub(super) leave: Statement,
    pub(super) changes: Statement,
    pub(super) purge: Statement,
    pub(super) recent: Statement,
    pub(super) verify: Statement,
    pub(super) strays: Statement,
    pub(super) analyze: Statement,
    pub(super) schema: String,
}

impl Statements {
    /// `base` is added to transaction numbers; see the table `meta`.
    pub(super) fn new(options: &PostgresOptions, base: i64) -> Self {
        let schema = options.quoted_schema();
        let spell = |template: &str| {
            template
                .replace("{s}", &schema)
                .replace("{base}", &base.to_string())
                .replace("{bits}", &BITS.to_string())
                .replace("{lock}", &options.lock(2).to_string())
        };
        let here = |patience: Patience| {
            let timeout = match patience {
                Patience::Within => return include_str!("sql/here_within.sql").to_owned(),
                Patience::Short => options.short_patience,
                Patience::Long => options.patience,
            };
            include_str!("sql/here.sql")
                .replace("{timeout}", &format!("'{}ms'", timeout.as_millis().max(1)))
                .replace("{durable}", if options.trust_server { "false" } else { "true" })
        };
        let write = |template: &str, patience, unlabelled: &str| {
            // A loser has changed nothing, and others wait for its lock: it need not wait for the disk.
            let lost = ",\n    CASE WHEN NOT EXISTS (SELECT FROM new) THEN set_config('synchronous_commit', 'off', true) END AS lost";
            let text = template.replace("{here}", &here(patience)).replace("{unlabelled}", unlabelled);
            let text = text.replace("{lost}", if patience == Patience::Within { "" } else { lost });
            Statement(spell(&text).into())
        };
        let thrice = |template: &str, unlabelled: &str| Thrice {
            short: write(template, Patience::Short, unlabelled),
            long: write(template, Patience::Long, unlabelled),
            within: write(template, Patience::Within, unlabelled),
        };
        let plain = |template: &str| Statement(spell(template).into());
        let unlabelled = include_str!("sql/unlabelled.sql");
        let swap_group = include_str!("sql/swap_group.sql");
        Self {
            create: thrice(include_str!("sql/create.sql"), ""),
            swap: thrice(include_str!("sql/swap.sql"), ""),
            remove: thrice(include_str!("sql/swap.sql"), unlabelled),
            create_group: write(include_str!("sql/create_group.sql"), Patience::Short, ""),
            swap_group: write(swap_group, Patience::Short, ""),
            remove_group: write(swap_group, Patience::Short, unlabelled),
            load: plain(include_str!("sql/load.sql")),
            load_group: plain(include_str!("sql/load_group.sql")),
            taken: plain(include_str!("sql/taken.sql")),
            counts: plain(include_str!("sql/counts.sql")),
            group_counts: plain(include_str!("sql/group_counts.sql")),
            types: plain("SELECT DISTINCT type FROM {s}.tally WHERE type <> ''"),
            fold: plain(include_str!("sql/fold.sql")),
            quiet: plain(include_str!("sql/quiet.sql")),
            orphaned: plain(include_str!("sql/orphaned.sql")),
            due: plain(include_str!("sql/due.sql")),
            renew: plain(include_str!("sql/renew.sql")),
            leave: plain(include_str!("sql/leave.sql")),
            changes: plain(include_str!("sql/changes.sql")),
            purge: plain(include_str!("sql/purge.sql")),
            recent: plain(include_str!("sql/recent.sql")),
            verify: plain(include_str!("sql/verify.sql")),
            strays: plain(include_str!("sql/strays.sql")),
            analyze: plain("ANALYZE {s}.operation, {s}.feed, {s}.label"),
            schema,
        }
    }

    /// All of them by name.
    pub(super) fn named(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("create", self.create.get(Patience::Short)),
            ("swap", self.swap.get(Patience::Short)),
            ("remove", self.remove.get(Patience::Short)),
            ("create_within", self.create.get(Patience::Within)),
            ("swap_within", self.swap.get(Patience::Within)),
            ("create_group", &self.create_group),
            ("swap_group", &self.swap_group),
            ("remove_group", &self.remove_group),
            ("load", &self.load),
            ("load_group", &self.load_group),
            ("taken", &self.taken),
            ("counts", &self.counts),
            ("group_counts", &self.group_counts),
            ("fold", &self.fold),
            ("quiet", &self.quiet),
            ("orphaned", &self.orphaned),
            ("due", &self.due),
            ("renew", &self.renew),
            ("leave", &self.leave),
            ("changes", &self.changes),
            ("purge", &self.purge),
            ("recent", &self.recent),
        ];
        all.into_iter().map(|(name, statement)| (name, statement.0.to_string())).collect()
    }
}
