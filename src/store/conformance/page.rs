//! Lists: every operation once, in order, whatever else happens.

use super::trial::{Outcome, Trial, at, by, ensure, listed, new, pages, remove, same, step};
use crate::model::{NewOperation, Operation, OperationId, OrderBy, Patch, Query, Status};
use crate::store::Store;

/// A millisecond in ticks.
const MILLI: i64 = 10_000;

/// Operations of several types, labels, statuses and instants, some at the same one; in the order of creation.
async fn mixed(trial: &Trial, store: &dyn Store) -> Outcome<Vec<Operation>> {
    let mut all = Vec::new();
    for number in 0..24_i64 {
        let status = Status::ALL.into_iter().cycle().nth(usize::try_from(number)?).unwrap_or(Status::Running);
        let id: OperationId = format!("{}-{number}", number.rem_euclid(5)).parse()?;
        let new = if number % 3 == 0 { NewOperation::untyped() } else { NewOperation::new("export") };
        let new = new.id(id).label("even", (number % 2 == 0).to_string()).label("third", (number / 8).to_string());
        all.push(trial.in_status(store, &new, status, number / 3 * MILLI).await?);
    }
    sort(&mut all);
    Ok(all)
}

fn sort(all: &mut [Operation]) {
    all.sort_by_key(|operation| (operation.stamps().created.ticks(), operation.id().clone()));
}

/// What a list must be: all that the query admits, in the order it is given.
fn wanted(all: &[Operation], query: &Query) -> Vec<Operation> {
    let mut all: Vec<_> = all.iter().filter(|operation| query.admits(operation)).cloned().collect();
    if query.descending {
        all.reverse();
    }
    all
}

pub(super) async fn each_once_in_order(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = mixed(trial, &*store).await?;
    for limit in [1, 7, 1_000] {
        same(&listed(&*store, &by(limit)).await?, &all, &format!("pages of {limit}"))?;
    }
    Ok(())
}

pub(super) async fn pages_keep_their_bound(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = mixed(trial, &*store).await?;
    let sizes: Vec<_> = pages(&*store, &by(10)).await?.iter().map(Vec::len).collect();
    ensure(sizes.iter().all(|size| *size <= 10), || format!("pages of 10 have {sizes:?}"))?;
    same(&sizes.iter().sum(), &all.len(), "operations on all pages")
}

pub(super) async fn last_page_has_no_token(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    same(&store.page(&by(8)).await?.next, &None, "the token of an empty list")?;
    mixed(trial, &*store).await?;
    for limit in [24, 25] {
        same(&store.page(&by(limit)).await?.next, &None, "the token of a list of 24 on one page")?;
    }
    same(&pages(&*store, &by(8)).await?.len(), &3, "pages of 8 of 24 operations")
}

pub(super) async fn newest_first(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = mixed(trial, &*store).await?;
    for limit in [1, 7, 1_000] {
        let query = Query { descending: true, ..by(limit) };
        same(&listed(&*store, &query).await?, &wanted(&all, &query), &format!("pages of {limit}, newest first"))?;
    }
    Ok(())
}

pub(super) async fn ties_are_ordered_by_the_bytes_of_ids(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    // As bytes: - . 0 9 A Z _ a z ~; no language's alphabet orders them so.
    let ids = ["a~", "Z", "a", "-", "~", "A", "_", "a.b", "a-b", "9", "10", "aB", "ab", "z", "..."];
    let mut all = Vec::new();
    for id in ids {
        all.push(trial.named(&*store, id, 1).await?);
    }
    sort(&mut all);
    same(&listed(&*store, &by(4)).await?, &all, "operations of one instant")
}

async fn filters(trial: &Trial, queries: Vec<Query>) -> Outcome {
    let store = trial.open().await?;
    let all = mixed(trial, &*store).await?;
    for query in queries {
        let wanted = wanted(&all, &query);
        ensure(wanted.len() < all.len(), || "the suite's own query filters nothing".into())?;
        same(&listed(&*store, &query).await?, &wanted, &format!("{query:?}"))?;
    }
    Ok(())
}

pub(super) async fn by_status(trial: &Trial) -> Outcome {
    let mut queries: Vec<_> =
        Status::ALL.into_iter().map(|status| Query { statuses: vec![status], ..by(4) }).collect();
    queries.push(Query { statuses: vec![Status::Failed, Status::Running], ..by(4) });
    filters(trial, queries).await
}

pub(super) async fn by_type(trial: &Trial) -> Outcome {
    let of = |name: &str| Query { type_name: Some(name.into()), ..by(4) };
    filters(trial, vec![of("export"), of("Export"), of("import")]).await
}

pub(super) async fn by_label(trial: &Trial) -> Outcome {
    let with = |key: &str, value: &str| Query { label: Some((key.into(), value.into())), ..by(4) };
    filters(trial, vec![with("even", "true"), with("third", "1"), with("third", "9"), with("none", "true")]).await
}

pub(super) async fn by_group(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut all = Vec::new();
    for (number, group) in (0..).zip(["g", "G", "g", "g ", "gg", "g", "é", "g", "g", "G"]) {
        let status = Status::ALL.into_iter().cycle().nth(usize::try_from(number)?).unwrap_or(Status::Running);
        let new = new(&format!("a{number}"))?.group(group).label("even", (number % 2 == 0).to_string());
        all.push(trial.in_status(&*store, &new, status, number).await?);
    }
    trial.named(&*store, "b", 3).await?;
    let of = |group: &str| Query { group: Some(group.into()), ..by(2) };
    let even = Some(("even".to_owned(), "true".to_owned()));
    let mut queries: Vec<_> = ["g", "G", "g ", "é", "none", "b"].map(of).into();
    queries.push(Query {
        statuses: vec![Status::NotStarted, Status::Running, Status::Failed],
        descending: true,
        ..of("g")
    });
    queries.push(Query { label: even, ..of("g") });
    queries.push(Query { statuses: vec![Status::Failed], order: OrderBy::LastAction, ..of("g") });
    for query in queries {
        same(&listed(&*store, &query).await?, &wanted(&all, &query), &format!("a list by {query:?}"))?;
    }
    Ok(())
}

pub(super) async fn by_base(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut all = Vec::new();
    let uuid = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let ids = ["a", "a~2", "a~10", "a~1", "a~02", "A~2", "a~2~3", "b~4", uuid, &format!("{uuid}~2"), "a~3"];
    for (tick, id) in (0..).zip(ids) {
        let status = if tick % 2 == 0 { Status::Failed } else { Status::Running };
        all.push(trial.in_status(&*store, &new(id)?, status, tick).await?);
    }
    let of = |base: &str| Outcome::Ok(Query { base: Some(base.parse()?), ..by(2) });
    let queries = [
        of("a")?,
        of("A")?,
        of("b")?,
        of("c")?,
        of(uuid)?,
        Query { descending: true, statuses: vec![Status::Failed], ..of("a")? },
        Query { order: OrderBy::LastAction, statuses: vec![Status::Failed], ..of("a")? },
        Query { type_name: Some("export".into()), ..of("a")? },
    ];
    for query in queries {
        same(&listed(&*store, &query).await?, &wanted(&all, &query), &format!("a list by {query:?}"))?;
    }
    Ok(())
}

pub(super) async fn by_instant(trial: &Trial) -> Outcome {
    let between = |from, until| -> Outcome<Query> {
        Ok(Query { from: Some(at(from * MILLI)?), until: Some(at(until * MILLI)?), ..by(4) })
    };
    let since = Query { from: Some(at(3 * MILLI)?), ..by(4) };
    let before = Query { until: Some(at(3 * MILLI)?), descending: true, ..by(4) };
    filters(trial, vec![between(2, 5)?, between(3, 4)?, between(4, 4)?, between(5, 2)?, since, before]).await
}

pub(super) async fn by_all_conditions_at_once(trial: &Trial) -> Outcome {
    let query = Query {
        statuses: vec![Status::Completed, Status::Failed, Status::Running],
        type_name: Some("export".into()),
        label: Some(("even".into(), "true".into())),
        from: Some(at(MILLI)?),
        until: Some(at(7 * MILLI)?),
        ..by(2)
    };
    filters(trial, vec![query.clone(), Query { descending: true, ..query }]).await
}

pub(super) async fn by_end(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let mut all = Vec::new();
    // Ended in another order than created, two at the same instant.
    for (number, end) in [(0, 50), (1, 40), (2, 60), (3, 40), (4, 45)] {
        let running = trial.in_status(&*store, &new(&format!("a{number}"))?, Status::Running, number).await?;
        all.push(step(&*store, &running, Patch::new().status(Status::Failed), end).await?);
    }
    trial.in_status(&*store, &new("b")?, Status::Completed, 42).await?;
    all.sort_by_key(|operation| (operation.stamps().last_action.ticks(), operation.id().clone()));
    let query = Query { statuses: vec![Status::Failed], order: OrderBy::LastAction, ..by(2) };
    same(&listed(&*store, &query).await?, &wanted(&all, &query), "by end")?;
    let backwards = Query { descending: true, ..query.clone() };
    same(&listed(&*store, &backwards).await?, &wanted(&all, &backwards), "by end, newest first")?;
    let query = Query { from: Some(at(41)?), until: Some(at(60)?), descending: true, ..query };
    same(&listed(&*store, &query).await?, &wanted(&all, &query), "by end, newest first, between two instants")
}

pub(super) async fn nothing_is_skipped_or_doubled_beside_writers(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = mixed(trial, &*store).await?;
    let mut seen = Vec::new();
    let mut query = by(5);
    for round in 0_i64.. {
        let page = store.page(&query).await?;
        seen.extend(page.items.iter().map(|operation| operation.id().clone()));
        // One that was seen goes, some come before the place, one comes after it: nothing cancels out.
        if let Some(operation) = page.items.first() {
            let current = store.load(operation.id()).await?;
            if let Some(current) = current {
                remove(&*store, &current).await?;
            }
            for _ in 0..=round {
                trial.create(&*store, &NewOperation::new("early"), -1).await?;
            }
            trial.create(&*store, &NewOperation::new("late"), round.saturating_add(1_000 * MILLI)).await?;
        }
        match page.next {
            Some(next) if round < 100 => query.after = Some(next),
            _ => break,
        }
    }
    let ids: Vec<_> = all.iter().map(|operation| operation.id().clone()).collect();
    let seen: Vec<_> = seen.into_iter().filter(|id| ids.contains(id)).collect();
    same(&seen, &ids, "operations that were there throughout")
}

pub(super) async fn token_outlives_its_store(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    let all = mixed(trial, &*store).await?;
    let first = store.page(&by(10)).await?;
    let store = trial.reopen(store).await?;
    let rest = listed(&*store, &Query { after: first.next, ..by(10) }).await?;
    same(&[first.items, rest].concat(), &all, "a list that began before the store was opened again")
}

pub(super) async fn types_and_labels_do_not_blend(trial: &Trial) -> Outcome {
    let store = trial.open().await?;
    // Pairs that a careless key would join or split alike (FAULTS 11).
    let pairs = [
        ("a", "b", "c"),
        ("ab", "c", "d"),
        ("a", "b.c", "d"),
        ("a", "b", "c.d"),
        ("a.b", "c", "d"),
        ("a", "b", "=c"),
        ("a", "b", "C"),
        ("a", "B", "c"),
        ("A", "b", "c"),
        ("a", "b", "c "),
        ("a", "b", "é"),
        ("a", "b", "e\u{301}"),
        ("a", "b", "%"),
        ("a", "b", "_"),
        ("a", "b", "c%"),
    ];
    let mut all = Vec::new();
    for (tick, (type_name, key, value)) in (0..).zip(pairs) {
        let new = NewOperation::new(type_name).label(key, value);
        all.push(trial.create(&*store, &new, tick).await?);
    }
    for (type_name, key, value) in pairs {
        let query = Query { type_name: Some(type_name.into()), label: Some((key.into(), value.into())), ..by(10) };
        same(&listed(&*store, &query).await?, &wanted(&all, &query), &format!("{type_name} {key}={value}"))?;
        let query = Query { type_name: None, ..query };
        same(&listed(&*store, &query).await?, &wanted(&all, &query), &format!("{key}={value}"))?;
    }
    Ok(())
}
