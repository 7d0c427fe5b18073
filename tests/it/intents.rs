//! What a patch is, beside its members: what goes with it, and what would be passed over in silence.

use longrun::model::{Patch, Rejection, Status};

use crate::support::date;
use crate::transitions::{ARROW, Moves, NOW, No, Same, TERMINAL, apply, at, failure, json, said, table};

/// (e) A cancel has no members: each was once passed over in silence.
#[test]
fn a_request_to_end_takes_no_members() {
    type Member = (&'static str, fn(Patch) -> Patch);
    let members: [Member; 10] = [
        ("status", |patch| patch.status(Status::Failed)),
        ("lastActionDateTime", |patch| patch.last_action(date(NOW))),
        ("percentageComplete", |patch| patch.progress(5)),
        ("progress", |patch| patch.progress((1, 2, "rows"))),
        ("statusDetail", |patch| patch.detail("x")),
        ("statusDetail", Patch::clear_detail),
        ("resourceLocation", |patch| patch.resource_location("/x")),
        ("resourceLocation", Patch::clear_resource_location),
        ("result", |patch| patch.result(json("1"))),
        ("error", |patch| patch.failure(failure())),
    ];
    for (name, with) in members {
        for patch in [Patch::cancel(), Patch::expire()] {
            table(name, &with(patch.clone()), [No("invalidPropertyValue"); 4]);
            match apply(&at(Status::Running), &with(patch)) {
                Err(Rejection::Invalid(unfit)) => {
                    assert_eq!(unfit.to_string(), format!("`{name}` must not be given with a request to end"));
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    // Its conditions are no members.
    let running = at(Status::Running);
    assert_eq!(said(&running, &Patch::cancel().if_match(&running).held_by("me")), Moves);
    assert_eq!(said(&running, &Patch::cancel().held_by("you")), ARROW);
    let stale = Patch::cancel().if_match(&at(Status::Completed));
    assert_eq!(said(&running, &stale), No("entityTagDoesNotMatch"));
}

/// A claim that named an end once ended the operation, whoever held it.
#[test]
fn a_claim_is_running_and_nothing_else() {
    for status in [Status::NotStarted, Status::Completed, Status::Failed] {
        for holder in ["me", "you"] {
            let patch = Patch::claim(holder).status(status);
            table("a claim that names another status", &patch, [No("invalidPropertyValue"); 4]);
            match apply(&at(Status::Running), &patch) {
                Err(Rejection::Invalid(unfit)) => {
                    assert_eq!(unfit.to_string(), "`status` must be Running in a claim");
                }
                other => panic!("{other:?}"),
            }
        }
    }
    table("a claim that says so", &Patch::claim("me").status(Status::Running), [Moves, Same, TERMINAL, TERMINAL]);
}
