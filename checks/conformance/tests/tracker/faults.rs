//! The tracker on a store that fails at random: what it says became of each call is true.

use std::sync::Arc;

use longrun::conformance::{FaultyStore, HintFault};
use longrun::store::{MemoryStore, Store};
use longrun::{ErrorKind, NewOperation, Patch, Status, Tracker};

use crate::world::clock;

/// Calls whose answer says whether the write happened.
const CALLS: u32 = 2_000;

#[tokio::test]
async fn definite_errors_wrote_nothing_and_answers_are_true() {
    let (mut definite, mut indefinite, mut happened) = (0, 0, 0);
    for (seed, hints) in
        (1..).zip([HintFault::None, HintFault::Lost, HintFault::Doubled, HintFault::Late, HintFault::Vague])
    {
        let clock = clock();
        let inner = Arc::new(MemoryStore::in_memory(Arc::new(clock.clone())).await.unwrap());
        let tracker = Tracker::builder().clock(clock.clone()).open_store(inner.clone()).await.unwrap();
        let created = tracker.create(NewOperation::new("export")).await.unwrap();
        let mut current = tracker.patch(created.id(), Patch::new().status(Status::Running)).await.unwrap();
        let faulty = FaultyStore::new(inner.clone()).hint_fault(hints).random(seed, 300);
        let faulty: Arc<dyn longrun::store::Store> = Arc::new(faulty);
        // Opening reads: it may fail as anything else, and is tried again.
        let tracker = loop {
            let opening = Tracker::builder().clock(clock.clone()).inspect().open_store(Arc::clone(&faulty));
            match opening.await {
                Ok(tracker) => break tracker,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
            }
        };
        for _ in 0..CALLS / 5 {
            let answer = tracker.heartbeat(created.id()).await;
            let found = inner.load(created.id()).await.unwrap().unwrap();
            match answer {
                Ok(answer) => assert_eq!(answer, found),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    assert!(error.is_retryable());
                    if error.is_definite() {
                        definite += 1;
                        assert_eq!(found, current, "a definite error wrote");
                    } else {
                        indefinite += 1;
                        happened += u32::from(found != current);
                    }
                }
            }
            assert!(found.version().n() - current.version().n() <= 1, "one call, one write");
            current = found;
        }
        assert_eq!(inner.verify().await.unwrap().problems, Vec::<String>::new());
    }
    println!(
        "{CALLS} calls: {definite} definite errors, {indefinite} indefinite, of which {happened} had happened"
    );
    assert!(definite > 50 && happened > 50 && indefinite > happened + 50);
}
