//! The user's own transaction: the operation changes if and only if it commits.

use longrun::model::{NewOperation, Patch};
use longrun::store::{PostgresStore, Store, Swap};
use longrun_checks_postgres::Server;

use crate::support::{create, first, id, next, run, sound};

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_stands_if_and_only_if_the_users_row_does() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    sqlx::query("CREATE TABLE orders (number int PRIMARY KEY, operation text NOT NULL)")
        .execute(&pool)
        .await
        .unwrap();
    let existing = create(&store, "existing", NewOperation::new("export"), 0).await;
    for commits in [false, true] {
        let mut user = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO orders VALUES (1742, 'op')").execute(&mut *user).await.unwrap();
        let op = first(&store, "op", NewOperation::new("export").label("order", "1742"), 1);
        assert_eq!(store.swap_in(&mut user, None, &op).await.unwrap(), Swap::Stored);
        let running = next(&store, &op, &run(), 2);
        assert_eq!(store.swap_in(&mut user, Some(op.version()), &running).await.unwrap(), Swap::Stored);
        let stale = next(&store, &op, &Patch::new().detail("stale"), 3);
        let lost = store.swap_in(&mut user, Some(op.version()), &stale).await.unwrap();
        assert_eq!(lost, Swap::Lost(Some(Box::new(running.clone()))));
        let taken = store.swap_in(&mut user, None, &op).await.unwrap();
        assert_eq!(taken, Swap::Lost(Some(Box::new(running.clone()))));
        assert_eq!(store.remove_in(&mut user, existing.id(), existing.version()).await.unwrap(), Swap::Stored);
        assert_eq!(store.load_in(&mut user, existing.id()).await.unwrap(), None);
        assert_eq!(store.load_in(&mut user, &id("op")).await.unwrap(), Some(running.clone()));
        // Nobody else sees any of it.
        assert_eq!(store.load(&id("op")).await.unwrap(), None);
        sound(&store, [1, 0, 0, 0]).await;
        if commits {
            user.commit().await.unwrap();
            assert_eq!(store.load(&id("op")).await.unwrap(), Some(running));
        } else {
            user.rollback().await.unwrap();
            assert_eq!(store.load(&id("op")).await.unwrap(), None);
        }
        sound(&store, if commits { [0, 1, 0, 0] } else { [1, 0, 0, 0] }).await;
    }
}
