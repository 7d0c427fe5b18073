//! FAULTS, "against hollow green" (c), at the tracker: while the syncing worker is blocked, get, list,
//! counts, feed, a lost race and an unchanged patch still say, or wait for, the old state.

use std::task::Poll;

use longrun::conformance::{MemoryOpener, Opener};
use longrun::store::Position;
use longrun::{NewOperation, Patch, Status, Tracker};

use crate::polled::{Polled, finish};
use crate::world::{clock, id};

#[test]
fn nothing_is_shown_while_the_worker_is_blocked() {
    let place = finish(MemoryOpener::default().place()).unwrap();
    let store = finish(place.open()).unwrap();
    let tracker = finish(Tracker::builder().clock(clock()).open_store(store)).unwrap();
    let created = finish(tracker.create(NewOperation::new("export").id(id("a")))).unwrap();
    let position = finish(tracker.changes(&Position::START, 10)).unwrap().next;

    let hold = place.hold().unwrap();
    let mut start = Polled::new(tracker.patch(created.id(), Patch::new().status(Status::Running)));
    assert!(start.polls(1).is_none());
    finish(hold.reached());

    assert_eq!(finish(tracker.get(created.id())).unwrap(), created, "get");
    assert_eq!(finish(tracker.list().into_future()).unwrap().items, std::slice::from_ref(&created), "list");
    assert_eq!(finish(tracker.list().status(Status::Running).into_future()).unwrap().items, [], "list by status");
    assert_eq!(finish(tracker.counts()).unwrap().of(Status::Running), 0, "counts");
    assert_eq!(finish(tracker.changes(&position, 10)).unwrap().items, [], "feed");
    // The same again would be Unchanged on the new record, and a cancel loses to it: neither may be told yet.
    let mut unchanged = Polled::new(tracker.patch(created.id(), Patch::new().status(Status::Running)));
    let mut lost = Polled::new(tracker.patch(created.id(), Patch::new().if_match(&created).detail("late")));
    for call in [&mut unchanged, &mut lost] {
        for _ in 0..100 {
            assert!(matches!(call.poll(), Poll::Pending), "answered while the worker is blocked");
        }
    }

    drop(hold);
    let running = start.finish().unwrap();
    assert_eq!(unchanged.finish().unwrap(), running, "unchanged");
    assert_eq!(lost.finish().unwrap_err().current(), Some(&running), "lost");
    assert_eq!(finish(tracker.get(created.id())).unwrap(), running);
    assert_eq!(finish(tracker.counts()).unwrap().of(Status::Running), 1);
}
