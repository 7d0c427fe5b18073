//! The schemas of the `OpenAPI` document.

use serde_json::{Value, json};

use crate::wire;

const ID: &str = "^[A-Za-z0-9._~-]{1,128}$";

pub(super) fn id_parameter() -> Value {
    json!({
        "name": "id",
        "in": "path",
        "required": true,
        "schema": { "type": "string", "pattern": ID, "minLength": 1, "maxLength": 128 },
    })
}

/// All schemas, for entities of a declared type.
pub(super) fn schemas(declared: &str) -> Value {
    json!({
        "operation": operation(declared),
        "operations": operations(),
        "create": create(declared),
        "update": update(declared),
        "start": {
            "type": "object",
            "additionalProperties": false,
            "properties": { "holder": name(128) },
        },
        "error": error(),
        "failure": failure(),
    })
}

fn date() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A name without control characters.
fn name(max: u32) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": "^[ -~]+$" })
}

fn status() -> Value {
    json!({ "type": "string", "enum": ["NotStarted", "Running", "Completed", "Failed"] })
}

fn failure() -> Value {
    json!({
        "type": "object",
        "required": ["code", "message"],
        "additionalProperties": false,
        "properties": {
            "code": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9]+$" },
            "message": { "type": "string", "maxLength": 1024, "pattern": "^[ -~]*$" },
            "target": { "type": "string", "maxLength": 128, "pattern": "^[ -~]*$" },
            "details": {},
        },
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "additionalProperties": false,
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "innerError"],
                "properties": {
                    "code": { "type": "string", "minLength": 1 },
                    "message": { "type": "string", "minLength": 1 },
                    "target": { "type": "string" },
                    "innerError": {
                        "type": "object",
                        "required": ["code", "date", "request-id"],
                        "properties": {
                            "code": { "type": "string" },
                            "date": date(),
                            "request-id": { "type": "string", "format": "uuid" },
                            "client-request-id": { "type": "string" },
                            "currentStatus": status(),
                            "allowed": { "type": "array", "items": status() },
                            "holder": { "type": "string" },
                        },
                    },
                },
            },
        },
    })
}

/// Members that a client may write, beside those of the declared type.
fn writable() -> Value {
    json!({
        "lastActionDateTime": date(),
        "percentageComplete": { "type": "integer", "minimum": 0, "maximum": 100 },
        "progress": {
            "type": "object",
            "required": ["done", "total"],
            "additionalProperties": false,
            "properties": {
                "done": { "type": "integer", "minimum": 0, "maximum": 1_000_000 },
                "total": { "type": "integer", "minimum": 1_000_000, "maximum": 9_007_199_254_740_991_u64 },
                "unit": { "type": "string", "maxLength": 32, "pattern": "^[ -~]*$" },
            },
        },
        "statusDetail": { "type": "string", "nullable": true, "maxLength": 1024, "pattern": "^[ -~]*$" },
        "resourceLocation": { "type": "string", "nullable": true, "maxLength": 2048, "pattern": "^[/A-Za-z0-9._~-]*$" },
    })
}

fn merged(objects: impl IntoIterator<Item = Value>) -> Value {
    let maps = objects.into_iter().filter_map(|object| match object {
        Value::Object(map) => Some(map),
        _ => None,
    });
    Value::Object(maps.flatten().collect())
}

fn update(declared: &str) -> Value {
    let own = json!({
        "@odata.type": { "type": "string", "enum": [format!("#{declared}")] },
        "status": status(),
        "result": {},
        "error": { "$ref": "#/components/schemas/failure" },
    });
    json!({ "type": "object", "additionalProperties": false, "properties": merged([own, writable()]) })
}

fn create(declared: &str) -> Value {
    let own = json!({
        "@odata.type": { "type": "string", "enum": [format!("#{declared}")] },
        "id": { "type": "string", "pattern": ID },
        "status": { "type": "string", "enum": ["NotStarted", "Running"] },
        "type": name(128),
        "labels": {
            "type": "object",
            "maxProperties": 16,
            "additionalProperties": name(256),
            "description": "Keys of 1 to 64 of A-Z a-z 0-9 . _ -",
        },
        "retryOf": { "type": "string", "pattern": ID },
        "group": name(128),
        "uniqueKey": name(256),
        "traceParent": { "type": "string", "pattern": "^00-[0-9a-f]{31}[1-9a-f]-[0-9a-f]{15}[1-9a-f]-[0-9a-f]{2}$" },
        "deadlineDateTime": date(),
    });
    json!({ "type": "object", "additionalProperties": false, "properties": merged([own, writable()]) })
}

fn operation(declared: &str) -> Value {
    let mut own = json!({
        "@odata.context": { "type": "string", "format": "uri" },
        "@odata.type": { "type": "string", "enum": [format!("#{declared}")] },
        "@odata.etag": { "type": "string" },
        "id": { "type": "string", "pattern": ID },
        "status": status(),
        "createdDateTime": date(),
        "type": { "type": "string" },
        "labels": { "type": "object", "additionalProperties": { "type": "string" } },
        "retryOf": { "type": "string" },
        "group": { "type": "string" },
        "uniqueKey": { "type": "string" },
        "traceParent": { "type": "string" },
        "log": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["dateTime", "statusDetail"],
                "additionalProperties": false,
                "properties": { "dateTime": date(), "statusDetail": { "type": "string" } },
            },
        },
        "deadlineDateTime": date(),
        "result": {},
        "error": { "$ref": "#/components/schemas/failure" },
        "holder": { "type": "string" },
        "startedDateTime": date(),
        "cancellationRequestedDateTime": date(),
    });
    if declared == wire::ONENOTE_OPERATION {
        let onenote = json!({
            "percentComplete": { "type": "string", "nullable": true },
            "resourceId": { "type": "string", "nullable": true },
        });
        own = merged([own, onenote]);
    }
    // `$select` leaves members out, so that none but the annotations is required.
    json!({
        "type": "object",
        "required": ["@odata.type", "@odata.etag"],
        "additionalProperties": false,
        "properties": merged([own, writable()]),
    })
}

fn operations() -> Value {
    json!({
        "type": "object",
        "required": ["@odata.context", "value"],
        "additionalProperties": false,
        "properties": {
            "@odata.context": { "type": "string", "format": "uri" },
            "@odata.count": { "type": "integer", "minimum": 0 },
            "@odata.nextLink": { "type": "string", "format": "uri" },
            "value": { "type": "array", "maxItems": 1000, "items": { "$ref": "#/components/schemas/operation" } },
        },
    })
}
