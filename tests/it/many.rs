//! Many changes in one call: one result each, in order, each for itself.

use longrun::{ErrorKind, NewOperation, OperationId, Patch, Status, Tracker};

/// More than are run side by side.
const MANY: usize = 1_300;

#[tokio::test]
async fn what_is_refused_stops_none_of_the_others() {
    let tracker = Tracker::builder().in_memory().await.unwrap();
    let new = (0..MANY).map(|n| {
        // Every tenth has a type that no operation may have.
        let kind = if n % 10 == 3 { String::new() } else { "export".to_owned() };
        NewOperation::new(kind).id(OperationId::derive("many", n.to_string()))
    });
    let created = tracker.create_many(new).await;
    assert_eq!(created.len(), MANY);
    for (n, result) in created.iter().enumerate() {
        match result {
            Ok(operation) => assert_eq!(*operation.id(), OperationId::derive("many", n.to_string())),
            Err(error) => assert!(n % 10 == 3 && error.kind() == ErrorKind::Invalid, "{n}: {error}"),
        }
    }
    assert_eq!(created.iter().filter(|result| result.is_err()).count(), MANY / 10);
    assert_eq!(tracker.counts().await.unwrap().of(Status::NotStarted), (MANY - MANY / 10) as u64);
}

/// Start, report and end of one operation may stand anywhere in the list: they are applied in its order.
#[tokio::test]
async fn patches_of_one_operation_are_applied_in_turn() {
    let tracker = Tracker::builder().in_memory().await.unwrap();
    let ids: Vec<_> = (0..600).map(|n| OperationId::derive("turn", n.to_string())).collect();
    let all_new = ids.iter().map(|id| NewOperation::new("export").id(id.clone()));
    assert!(tracker.create_many(all_new).await.iter().all(Result::is_ok));
    let steps = [
        Patch::new().status(Status::Running),
        Patch::new().progress(50),
        Patch::new().progress(20),
        Patch::new().status(Status::Completed),
    ];
    let patches = steps.iter().flat_map(|step| ids.iter().map(|id| (id.clone(), step.clone())));
    let results = tracker.patch_many(patches).await;
    assert_eq!(results.len(), 4 * ids.len());
    for (n, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), n / ids.len() == 2, "patch {n}: progress goes never back");
        assert_eq!(result.as_ref().map_or(&ids[n % ids.len()], |operation| operation.id()), &ids[n % ids.len()]);
    }
    assert_eq!(tracker.counts().await.unwrap().of(Status::Completed), 600);
    assert!(tracker.patch_many([]).await.is_empty());
}
