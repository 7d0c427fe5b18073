//! What work tells people, on the wire and through a run.

use longrun::model::Amount;
use longrun::wire::{Entity, to_json};
use longrun::{Failure, NewOperation, Patch};

use crate::faulty::{Bench, bench};
use crate::support::{after, date, first};

#[test]
fn the_wire_shows_them() {
    let new = NewOperation::untyped()
        .group("book")
        .unique("k")
        .deadline(date("2026-05-05T12:00:00+03:00"))
        .trace_parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let told = Patch::claim("me").progress((3, 4, "rows")).detail("reading");
    let operation = after(&first(&new, "a", 7, "2026-05-04T12:00:00Z"), &told);
    let shown: serde_json::Value = serde_json::from_str(&to_json(&Entity::new(&operation))).unwrap();
    let wanted = serde_json::json!({
        "@odata.type": "#microsoft.graph.operation",
        "id": "a",
        "status": "Running",
        "createdDateTime": "2026-05-04T12:00:00Z",
        "lastActionDateTime": "2026-05-04T12:00:01Z",
        "group": "book",
        "uniqueKey": "k",
        "traceParent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "deadlineDateTime": "2026-05-05T12:00:00+03:00",
        "percentageComplete": 75,
        "progress": { "done": 3, "total": 4, "unit": "rows" },
        "statusDetail": "reading",
        "log": [{ "dateTime": "2026-05-04T12:00:01Z", "statusDetail": "reading" }],
        "holder": "me",
        "startedDateTime": "2026-05-04T12:00:01Z"
    });
    assert_eq!(shown, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reporter_tells_is_bent_to_what_fits_and_comes_with_the_end() {
    let Bench { tracker, .. } = bench().await;
    let id = tracker.create(NewOperation::new("export")).await.unwrap().id().clone();
    let work = tracker.run(&id, async |run| {
        run.progress((9, 4, "a unit much too long to be shown to anybody\n"));
        run.progress((3, 4, "rows"));
        run.progress((2, 4, "rows"));
        run.progress((0, 0, "rows"));
        run.progress(7);
        run.detail("last words");
        Ok::<_, Failure>(())
    });
    work.await.unwrap();
    let done = tracker.get(&id).await.unwrap();
    assert_eq!(done.amount(), Some(&Amount::new(3, 4, "rows")));
    assert_eq!(done.log().map(|(_, text)| text).collect::<Vec<_>>(), ["last words"]);
}
