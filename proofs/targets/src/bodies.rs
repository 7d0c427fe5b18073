//! Bodies of requests.

use longrun::model::{Applied, Patch, Rules, Timestamp};
use longrun::store::record::{self, Entry, Record};
use longrun::{Error, NewOperation, Operation, OperationId, Status, wire};
use serde_json::Value;

/// Reads the bytes as every body there is, and applies what they say to an operation of each status.
///
/// # Panics
/// If what is taken is no JSON object, if a refusal is not a 400 that JSON can say, or if a record that a patch made
/// does not come back from its bytes.
pub fn patch_body(body: &[u8]) {
    let is_object = matches!(serde_json::from_slice(body), Ok(Value::Object(_)));
    match wire::new_operation(body, wire::OPERATION) {
        Ok(_) => assert!(is_object, "a POST takes what is no object"),
        Err(error) => refused(&error),
    }
    if let Err(error) = wire::holder(body) {
        refused(&error);
    }
    match wire::patch(body, wire::OPERATION) {
        Ok(read) => {
            assert!(is_object, "a PATCH takes what is no object");
            for status in Status::ALL {
                apply(status, &read.patch);
            }
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) {
    assert_eq!(error.http_status(), 400, "{error:?}");
    let said: Value = serde_json::from_str(&error.to_json()).unwrap_or_default();
    assert!(said.pointer("/error/code").is_some_and(Value::is_string), "{}", error.to_json());
    assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
}

fn apply(status: Status, patch: &Patch) {
    let (rules, now) = (Rules::new(1), now());
    let Some(operation) = at(status) else { return };
    match operation.apply(patch, &rules, now) {
        Ok(Applied::Changed { next, .. }) => {
            assert_eq!(next.version().n(), operation.version().n() + 1);
            assert!(next.last_action() >= operation.last_action(), "{next:?}");
            assert!(!operation.is_terminal(), "{operation:?} became {next:?}");
            let record = Record::new(7, Entry::Live(next.clone()));
            let bytes = record::encode(&record).unwrap_or_default();
            assert_eq!(record::decode(&record::key(next.id()), &bytes), Ok(record));
            let json = wire::to_json(&wire::Entity::new(&next));
            assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
        }
        Ok(_) => {}
        Err(rejection) => {
            assert!(!rejection.to_string().is_empty());
        }
    }
}

/// 2026-03-01.
pub(crate) fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap_or_else(|_| unreachable!("a date of ours"))
}

pub(crate) fn first() -> Option<Operation> {
    let (id, rules) = ("fuzz".parse::<OperationId>().ok()?, Rules::new(1));
    Operation::new(&NewOperation::new("export"), id, 7, &rules, now()).ok()
}

fn at(status: Status) -> Option<Operation> {
    let steps: &[Status] = match status {
        Status::NotStarted => &[],
        Status::Running => &[Status::Running],
        ended => &[Status::Running, ended],
    };
    steps.iter().try_fold(first()?, |operation, status| {
        match operation.apply(&Patch::new().status(*status), &Rules::new(1), now()) {
            Ok(Applied::Changed { next, .. }) => Some(next),
            _ => None,
        }
    })
}
