//! Who is quiet and who is orphaned, by the database's clock.

use std::time::Duration;

use longrun::model::{NewOperation, Patch, holder};
use longrun::store::{Idle, PostgresStore, Store};
use longrun_checks_postgres::Server;

use crate::support::{change, create, id, limit};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_silent_instance_holds_is_orphaned_and_nothing_else() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let dead = PostgresStore::connect(pool.clone()).await.unwrap();
    for (store, prefix) in [(&store, "live"), (&dead, "dead")] {
        for number in 0..5 {
            let new = create(store, &format!("{prefix}{number}"), NewOperation::new("export"), 1).await;
            let claim = holder::of_instance(store.opened().instance, number);
            change(store, &new, &Patch::claim(claim), 2).await;
        }
    }
    let remote = create(&store, "remote", NewOperation::new("export"), 1).await;
    change(&store, &remote, &Patch::claim("a worker far away"), 2).await;
    let ended = dead.load(&id("dead4")).await.unwrap().unwrap();
    change(&dead, &ended, &Patch::complete(None), 3).await;

    let orphaned = async |after: Option<&str>, most: u32| -> Vec<String> {
        let after = after.map(id);
        let found = store.idle(&Idle::Orphaned, after.as_ref(), limit(most)).await.unwrap();
        found.iter().map(ToString::to_string).collect()
    };
    assert_eq!(orphaned(None, 10).await, [""; 0]);

    // Silent for just under a minute, then for longer.
    let silent = async |seconds: f64| {
        let set = "UPDATE longrun.instance SET seen = clock_timestamp() - make_interval(secs => $1) WHERE id = $2";
        let query = sqlx::query(set).bind(seconds).bind(i64::from(dead.opened().instance));
        assert_eq!(query.execute(&pool).await.unwrap().rows_affected(), 1);
    };
    silent(45.0).await;
    assert_eq!(orphaned(None, 10).await, [""; 0]);
    silent(61.0).await;
    assert_eq!(orphaned(None, 10).await, ["dead0", "dead1", "dead2", "dead3"]);
    assert_eq!(orphaned(None, 2).await, ["dead0", "dead1"]);
    assert_eq!(orphaned(Some("dead1"), 10).await, ["dead2", "dead3"]);
    // It was only slow, and says so.
    dead.maintain_now().await.unwrap();
    assert_eq!(orphaned(None, 10).await, [""; 0]);
    // A good end leaves no doubt.
    dead.close().await.unwrap();
    assert_eq!(orphaned(None, 10).await, ["dead0", "dead1", "dead2", "dead3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_counts_from_the_last_write_by_type() {
    let server = Server::start();
    let pool = server.pool(6).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    for (name, new) in [
        ("a", NewOperation::new("export")),
        ("b", NewOperation::new("export")),
        ("c", NewOperation::new("import")),
        ("d", NewOperation::untyped()),
    ] {
        let new = create(&store, name, new, 1).await;
        change(&store, &new, &Patch::claim("somebody"), 2).await;
    }
    create(&store, "e", NewOperation::new("export"), 1).await;
    let quiet = async |type_name: Option<&str>, after: Option<&str>| -> Vec<String> {
        let which = Idle::Quiet { type_name: type_name.map(Into::into), longer_than: Duration::from_mins(1) };
        let found = store.idle(&which, after.map(id).as_ref(), limit(10)).await.unwrap();
        found.iter().map(ToString::to_string).collect()
    };
    assert_eq!(quiet(Some("export"), None).await, [""; 0]);
    let back = "UPDATE longrun.operation SET written = written - interval '61 seconds'";
    sqlx::query(back).execute(&pool).await.unwrap();
    assert_eq!(quiet(Some("export"), None).await, ["a", "b"]);
    assert_eq!(quiet(Some("export"), Some("a")).await, ["b"]);
    assert_eq!(quiet(Some("import"), None).await, ["c"]);
    assert_eq!(quiet(None, None).await, ["d"]);
    let beats = store.load(&id("a")).await.unwrap().unwrap();
    change(&store, &beats, &Patch::heartbeat(), 3).await;
    assert_eq!(quiet(Some("export"), None).await, ["b"]);
}
