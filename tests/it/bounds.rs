//! Bounds, each from both sides, and texts that others read: each was once a line that no test noticed.

use longrun::model::{Amount, OperationId, Patch, Rejection, holder};

use crate::support::{after, first, rules, stamp};

#[test]
fn amounts_reach_their_bounds() {
    assert_eq!(Amount::MAX, 9_007_199_254_740_991, "what every reader of JSON keeps exactly");
    let new = first(&longrun::NewOperation::untyped(), "a", 7, "2026-05-04T12:00:00Z");
    let running = after(&new, &Patch::claim("me"));
    let tell = |amount: (u64, u64, &str)| {
        running.apply(&Patch::new().progress(amount), &rules(), stamp("2026-05-04T12:00:02Z"))
    };
    let longest = "é".repeat(Amount::MAX_UNIT);
    for fits in [(Amount::MAX, Amount::MAX, ""), (0, 1, ""), (1, 1, ""), (1, 2, longest.as_str())] {
        assert!(tell(fits).is_ok(), "{fits:?}");
    }
    let longer = format!("{longest}x");
    for wrong in [(0, Amount::MAX + 1, ""), (0, 0, ""), (2, 1, ""), (1, 2, longer.as_str())] {
        assert!(matches!(tell(wrong), Err(Rejection::Invalid(_))), "{wrong:?}");
    }
}

#[test]
fn a_claim_names_its_instance_and_nothing_else_does() {
    for (instance, claim) in [(0, 0), (1, 2), (2, 1), (u32::MAX, u64::MAX)] {
        let name = holder::of_instance(instance, claim);
        assert_eq!(name, format!("open:{instance}:{claim}"));
        assert_eq!(holder::instance(&name), Some(instance));
    }
    let others = ["", "worker-7", "open", "open:", "open:3", "open:3:", "open::9", "open:x:9", "open:3:x", "3:9"];
    for other in others {
        assert_eq!(holder::instance(other), None, "{other}");
    }
}

#[test]
fn a_wrong_id_is_told_what_ids_are_made_of() {
    let told = "a/b".parse::<OperationId>().unwrap_err();
    assert_eq!(told.to_string(), "must be 1 to 128 of A-Z a-z 0-9 . _ ~ - and not . or ..");
}
