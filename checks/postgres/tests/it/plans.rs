//! Every statement as the server really ran it: no table that grows is read from end to end.
//!
//! `auto_explain` writes each plan into the server's log. The plans, without their costs, are kept in
//! `tests/fixtures/plans.txt`. A way into a growing table that a statement does not take there is red: it is a
//! change of how the store scales. For lists the server may choose among indexes by what it guesses of the rows;
//! there the check is that each reads by one. `LONGRUN_PLANS=FILE` writes the plans that a run saw.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::future::poll_fn;
use std::time::Duration;

use longrun::model::{NewOperation, OrderBy, Patch, Query, holder};
use longrun::store::{Durability, Idle, Position, PostgresOptions, PostgresStore, Store, Swap};
use longrun::{Failure, Status};
use longrun_checks_postgres::{Server, Settings};

use crate::support::{at, change, create, first, id, limit, next, run};

const ROWS: u32 = 20_000;
/// What begins each section of the fixture and of the log.
const QUERY: &str = "Query Text: ";
/// Tables that grow with the operations.
const GROWING: [&str; 3] = ["operation", "feed", "label"];

/// Rows as the store writes them, without asking it: it would take minutes in a debug build.
async fn fill(store: &PostgresStore, pool: &sqlx::PgPool) {
    let mut writes = tokio::task::JoinSet::new();
    for caller in 0..64_u32 {
        let store = store.clone();
        writes.spawn(async move {
            for number in (caller..ROWS).step_by(64) {
                let new =
                    NewOperation::new(format!("type{}", number % 7)).label("order", format!("{}", number % 500));
                let mut operation = create(&store, &format!("fill{number}"), new, number.into()).await;
                let patches = [
                    Patch::claim(holder::of_instance(store.opened().instance, number.into())),
                    if number % 2 == 0 { Patch::complete(None) } else { Patch::fail(Failure::new("no", "no")) },
                ];
                for patch in patches.into_iter().take(number as usize % 3) {
                    operation = change(&store, &operation, &patch, i64::from(number) + 1).await;
                }
            }
        });
    }
    writes.join_all().await;
    sqlx::raw_sql("VACUUM ANALYZE").execute(pool).await.unwrap();
}

fn queries() -> Vec<Query> {
    let mut all = Vec::new();
    for order in [OrderBy::Created, OrderBy::LastAction] {
        for type_name in [None, Some("type3".to_owned())] {
            for statuses in [vec![], vec![Status::Running], vec![Status::Completed, Status::Failed]] {
                if order == OrderBy::LastAction && !statuses.contains(&Status::Failed) {
                    continue;
                }
                for label in [None, Some(("order".to_owned(), "17".to_owned()))] {
                    for descending in [false, true] {
                        if label.is_some() && order == OrderBy::LastAction {
                            continue;
                        }
                        let mut query = Query::default();
                        (query.order, query.type_name, query.statuses) =
                            (order, type_name.clone(), statuses.clone());
                        (query.label, query.descending, query.limit) = (label.clone(), descending, limit(100));
                        all.push(query);
                    }
                }
            }
        }
    }
    all
}

/// Everything that a store does, more than five times, after which the server keeps a generic plan.
async fn everything(store: &PostgresStore) {
    let mut hints = store.hints();
    let heard = poll_fn(|context| hints.as_mut().poll_next(context)).await;
    assert!(heard.is_some(), "who listens is told that anything may have changed");
    for round in 0..8_u32 {
        let operation = create(store, &format!("one{round}"), NewOperation::new("type1").label("a", "b"), 5).await;
        let running = change(store, &operation, &run(), 6).await;
        let done = change(store, &running, &Patch::complete(None), 7).await;
        store.swap(Some(running.version()), &done, Durability::Immediate).await.unwrap();
        store.load(operation.id()).await.unwrap();
        store.remove(operation.id(), done.version()).await.unwrap();
        let mut together = tokio::task::JoinSet::new();
        for number in 0..100 {
            let store = store.clone();
            together.spawn(async move {
                let new = NewOperation::new("type2").label("order", "new");
                let operation = create(&store, &format!("some{round}-{number}"), new, 8).await;
                let running = change(&store, &operation, &run(), 9).await;
                let done = change(&store, &running, &Patch::complete(None), 10).await;
                store.remove(done.id(), done.version()).await.unwrap();
            });
        }
        together.join_all().await;
        for query in queries() {
            let page = store.page(&query).await.unwrap();
            let mut second = query.clone();
            if let Some(next) = page.next {
                second.after = Some(next);
                store.page(&second).await.unwrap();
            }
        }
        let keyed = |name: &str| NewOperation::new("type1").group("g").unique(format!("key{round}")).id(id(name));
        let holder = create(store, &format!("holds{round}"), keyed("holder"), 11).await;
        let second = first(store, &format!("wants{round}"), keyed("second"), 12);
        let taken = store.swap(None, &second, Durability::Immediate).await.unwrap();
        assert_eq!(taken, Swap::Taken(holder));
        store.group_counts("g").await.unwrap();
        store.counts().await.unwrap();
        let changes = store.changes(&Position::START, limit(100)).await.unwrap();
        store.changes(&changes.next, limit(100)).await.unwrap();
        for which in [
            Idle::Orphaned,
            Idle::Quiet { type_name: Some("type3".into()), longer_than: Duration::from_secs(1) },
            Idle::Due { until: at(12) },
        ] {
            store.idle(&which, Some(&id("fill1")), limit(100)).await.unwrap();
        }
        store.maintain_now().await.unwrap();
    }
}

async fn within(store: &PostgresStore, pool: &sqlx::PgPool) {
    for round in 0..8 {
        let mut user = pool.begin().await.unwrap();
        let operation = first(store, &format!("theirs{round}"), NewOperation::new("type1"), 1);
        store.swap_in(&mut user, None, &operation).await.unwrap();
        let running = next(store, &operation, &run(), 2);
        store.swap_in(&mut user, Some(operation.version()), &running).await.unwrap();
        store.load_in(&mut user, operation.id()).await.unwrap();
        store.remove_in(&mut user, operation.id(), running.version()).await.unwrap();
        user.commit().await.unwrap();
    }
}

/// Each statement of the log with the plans that it had.
fn plans(log: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in log.split(QUERY).skip(1) {
        // Continued lines of a log entry begin with a tab; the next entry does not.
        let lines = entry.lines().enumerate().take_while(|(at, line)| *at == 0 || line.starts_with('\t'));
        let lines: Vec<&str> = lines.map(|(_, line)| line.trim_start_matches('\t')).collect();
        let Some(begin) = lines.iter().position(|line| line.contains("  (cost=")) else { continue };
        let statement = lines[..begin].join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        let plan: Vec<String> = lines[begin..]
            .iter()
            .filter_map(|line| line.split_once("  (cost=").map(|(node, _)| node.to_owned()))
            .collect();
        all.entry(statement).or_default().insert(plan.join("\n"));
    }
    all
}

/// The nodes of a plan that read a growing table from end to end.
fn whole_reads(plan: &str) -> Vec<&str> {
    plan.lines()
        .filter(|line| {
            GROWING.iter().any(|table| line.contains("Seq Scan") && line.contains(&format!(" on {table} ")))
        })
        .chain(
            plan.lines().filter(|line| GROWING.iter().any(|table| line.ends_with(&format!("Seq Scan on {table}")))),
        )
        .collect()
}

/// The ways into growing tables that each section takes: `create: Index Scan using operation_pkey on operation`.
fn ways(sections: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for section in sections.split("== ").skip(1) {
        let (name, plan) = section.split_once('\n').unwrap();
        for line in plan.lines() {
            let node = line.trim_start_matches([' ', '-', '>']);
            let Some((scan, rest)) = node.split_once(" on ") else { continue };
            let table = rest.split(' ').next().unwrap();
            if scan.contains("Scan") && GROWING.contains(&table) {
                all.insert(format!("{name}: {scan} on {table}"));
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_a_growing_table_from_end_to_end() {
    let lines = ["shared_preload_libraries = 'auto_explain'", "autovacuum = off", "jit = off"];
    let server = Server::start_with(&Settings { lines: lines.map(Into::into).into(), port: None });
    let pool = server.pool(12).await;
    let store = PostgresStore::connect_with(pool.clone(), PostgresOptions::default().lanes(2)).await.unwrap();
    assert_eq!(at(1).ticks() + 1, at(2).ticks());
    fill(&store, &pool).await;
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&pool).await.unwrap();
    let explain = format!("ALTER DATABASE {database} SET auto_explain.log_min_duration = 0");
    sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).execute(&pool).await.unwrap();
    store.close().await.unwrap();
    pool.close().await;

    let way = server.options().database(&database);
    let pool = longrun_checks_postgres::pool_options(12).connect_lazy_with(way);
    let store = PostgresStore::connect_with(pool.clone(), PostgresOptions::default().lanes(2)).await.unwrap();
    everything(&store).await;
    within(&store, &pool).await;
    let named = store.statements();
    store.close().await.unwrap();

    let log = std::fs::read_to_string(server.socket_folder().join("log")).unwrap();
    let found = plans(&log);
    let mut text = String::new();
    let (mut seen, mut read) = (0, Vec::new());
    for (name, statement) in &named {
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(of) = found.get(&statement) else { panic!("{name} was never run") };
        seen += 1;
        for plan in of {
            writeln!(text, "== {name}\n{plan}\n").unwrap();
        }
    }
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let known: BTreeSet<String> = named.iter().map(|(_, statement)| spaced(statement)).collect();
    let of_names = ways(&text);
    // Lists are spelled as they are asked for.
    let lists = found.iter().filter(|(statement, _)| statement.contains("LIMIT") && statement.contains("longrun"));
    for (statement, of) in lists.filter(|(statement, _)| !known.contains(*statement)) {
        seen += 1;
        for plan in of {
            writeln!(text, "== {statement}\n{plan}\n").unwrap();
        }
    }
    for section in text.split("== ").skip(1) {
        read.extend(whole_reads(section).into_iter().map(|node| format!("{node} in {section}")));
    }
    assert!(seen >= named.len() + 12, "{seen} statements were seen");
    if let Ok(file) = std::env::var("LONGRUN_PLANS") {
        std::fs::write(file, &text).unwrap();
    }
    assert!(read.is_empty(), "{}", read.join("\n"));
    let kept = ways(include_str!("../fixtures/plans.txt"));
    assert!(kept.len() > named.len(), "{kept:?}");
    let new: Vec<_> = of_names.difference(&kept).cloned().collect();
    assert!(new.is_empty(), "not in the fixture:\n{}", new.join("\n"));
}
