//! Every kind of list against a model in memory: same members, same order, whatever the page size.

use longrun::Status;
use longrun::model::{NewOperation, Operation, OrderBy, Patch, Query};
use longrun::store::{PostgresStore, Store};
use longrun_checks_postgres::Server;

use crate::support::{at, change, create, fail, limit, run};

async fn fill(store: &PostgresStore) -> Vec<Operation> {
    let mut all = Vec::new();
    for number in 0..120_i64 {
        let mut new = match number % 3 {
            0 => NewOperation::untyped(),
            1 => NewOperation::new("export"),
            _ => NewOperation::new("import"),
        };
        if number % 2 == 0 {
            new = new.label("site", if number % 4 == 0 { "north" } else { "south" });
        }
        // Three share each instant.
        let tick = number / 3;
        let mut operation = create(store, &format!("op{:03}", (number * 37) % 120), new, tick).await;
        let steps = [vec![], vec![run()], vec![run(), Patch::complete(None)], vec![run(), fail()]];
        for patch in &steps[usize::try_from(number / 5 % 4).unwrap()] {
            operation = change(store, &operation, patch, 100 + number / 4).await;
        }
        all.push(operation);
    }
    all
}

fn expected(all: &[Operation], query: &Query) -> Vec<String> {
    let mut found: Vec<_> = all.iter().filter(|operation| query.admits(operation)).collect();
    found.sort_by_key(|operation| (query.stamp(operation).ticks(), operation.id().clone()));
    if query.descending {
        found.reverse();
    }
    found.iter().map(|operation| operation.id().to_string()).collect()
}

async fn listed(store: &PostgresStore, query: &Query) -> Vec<String> {
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = store.page(&query).await.unwrap();
        assert!(page.items.len() <= usize::try_from(query.limit.get()).unwrap());
        found.extend(page.items.iter().map(|operation| operation.id().to_string()));
        match page.next {
            Some(token) => query.after = Some(token.to_string().parse().unwrap()),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_hold_what_they_ask_for_in_order() {
    let server = Server::start();
    let store = PostgresStore::connect(server.pool(6).await).await.unwrap();
    let all = fill(&store).await;
    let mut asked = 0;
    let mut nonempty = 0;
    for statuses in [
        vec![],
        vec![Status::NotStarted],
        vec![Status::Failed],
        vec![Status::Running, Status::Completed, Status::Running],
    ] {
        for type_name in [None, Some("export"), Some("unknown")] {
            for label in [None, Some(("site", "north")), Some(("site", "west"))] {
                for order in [OrderBy::Created, OrderBy::LastAction] {
                    for descending in [false, true] {
                        for (from, until) in [(None, None), (Some(at(5)), Some(at(30))), (Some(at(110)), None)] {
                            let mut query = Query::default();
                            query.statuses.clone_from(&statuses);
                            query.type_name = type_name.map(Into::into);
                            query.label = label.map(|(key, value)| (key.into(), value.into()));
                            (query.order, query.descending) = (order, descending);
                            (query.from, query.until) = (from, until);
                            query.limit = limit(7);
                            if query.check().is_err() {
                                continue;
                            }
                            let expected = expected(&all, &query);
                            assert_eq!(listed(&store, &query).await, expected, "{query:?}");
                            asked += 1;
                            nonempty += usize::from(!expected.is_empty());
                        }
                    }
                }
            }
        }
    }
    // Four choices of statuses ordered by creation, one by last action.
    assert_eq!(asked, (4 + 1) * 3 * 3 * 2 * 3);
    assert!(nonempty >= 60, "{nonempty}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_search_that_finds_little_answers_short_and_goes_on() {
    let server = Server::start();
    let store = PostgresStore::connect(server.pool(6).await).await.unwrap();
    let count = i64::try_from(Query::MAX_CANDIDATES).unwrap() + 500;
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..count {
        let store = store.clone();
        writes.spawn(async move {
            let new = NewOperation::new("export").label("site", "north");
            let new = if number == count - 1 { new.patch(run()) } else { new };
            create(&store, &format!("op{number}"), new, number).await;
        });
        if number % 256 == 0 {
            while writes.join_next().await.is_some() {}
        }
    }
    while writes.join_next().await.is_some() {}
    let mut query = Query::default();
    query.statuses = vec![Status::Running];
    query.label = Some(("site".into(), "north".into()));
    let short = store.page(&query).await.unwrap();
    assert_eq!(short.items, []);
    query.after = short.next;
    assert!(query.after.is_some());
    let page = store.page(&query).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.next, None);
}
