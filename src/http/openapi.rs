//! `OpenAPI` 3.0 of a Graph face, made from the table that requests are routed by.
//!
//! Built by hand: what a derive would read off the types is not what the wire has (members by state, texts
//! with grammar, two media types, answers by `Prefer`).

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::access::Action;
use super::face::Call;
use super::graph::{Graph, json as answer};
use super::schemas;

/// The document.
pub(super) fn document(graph: &Graph, call: &Call<'_>) -> Response {
    let mut paths: Map<String, Value> = Map::new();
    for route in graph.routes() {
        let below = route.path.get(graph.face.root.len()..).unwrap_or_default();
        let path = if below.is_empty() { "/" } else { below };
        // The others follow from these.
        if ["HEAD", "OPTIONS"].contains(&route.method) {
            continue;
        }
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            if path.contains("{id}") {
                item.insert("parameters".into(), json!([schemas::id_parameter()]));
            }
            item.insert(route.method.to_ascii_lowercase(), operation(graph, route.action, below));
        }
    }
    let document = json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Operations",
            "description": "The state of long-running operations.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": call.root }],
        "security": [{ "bearer": [] }, {}],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas::schemas(&graph.declared),
        },
    });
    answer(document.to_string())
}

fn operation(graph: &Graph, action: Action, below: &str) -> Value {
    let (summary, parameters, body, success, refusals): (_, Vec<Value>, _, _, &[u16]) = match action {
        Action::Describe => ("Describe the service", vec![], None, described(below), &[]),
        Action::Get => ("Get an operation", vec![select(), wait()], None, entity("200", true), &[412]),
        Action::List => {
            let parameters = vec![filter(), order(), top(), count(), skip_token(), select(), page_size()];
            ("List operations", parameters, None, listed(), &[501])
        }
        Action::Count => ("Count operations", vec![filter()], None, counted(), &[501]),
        Action::Watch => ("Follow an operation", vec![last_event()], None, events(true), &[429]),
        Action::WatchAll => {
            ("Follow all operations", vec![last_event(), latest()], None, events(false), &[410, 429])
        }
        Action::Create => (
            "Create an operation",
            vec![select(), prefer_return()],
            Some(("create", false)),
            created(),
            &[409, 413, 415, 501, 507],
        ),
        Action::Patch => {
            let parameters = vec![if_match(), select(), prefer_return()];
            ("Update an operation", parameters, Some(("update", true)), changed(), &[409, 412, 413, 415, 501])
        }
        Action::Start => {
            let parameters = vec![if_match(), prefer_return()];
            ("Claim an operation", parameters, Some(("start", false)), changed(), &[409, 412, 413, 415, 501])
        }
        Action::Cancel => ("Ask an operation to end", vec![if_match()], None, no_content(), &[409, 412, 501]),
        Action::Delete => {
            ("Delete an operation that has ended", vec![if_match()], None, no_content(), &[409, 412, 501])
        }
    };
    let mut responses = success;
    let host = [400, 401, 403, 404, 406, 503];
    let strict = graph.needs_if_match && matches!(action, Action::Patch | Action::Delete);
    for status in host.iter().chain(refusals).chain(strict.then_some(&428)) {
        responses.insert(status.to_string(), refused());
    }
    let id = format!("{action:?}{}", below.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
    let mut operation = json!({
        "operationId": id,
        "summary": summary,
        "description": format!("Needs {}.", action.permission().as_str()),
        "parameters": parameters,
        "responses": responses,
    });
    if let (Some((schema, merges)), Value::Object(operation)) = (body, &mut operation) {
        let schema = json!({ "schema": { "$ref": format!("#/components/schemas/{schema}") } });
        let mut content = json!({ "application/json": schema });
        if let (true, Value::Object(content)) = (merges, &mut content) {
            content.insert("application/merge-patch+json".into(), schema);
        }
        operation.insert("requestBody".into(), json!({ "required": true, "content": content }));
    }
    operation
}

type Responses = Map<String, Value>;

fn one(status: &str, response: Value) -> Responses {
    Map::from_iter([(status.to_owned(), response)])
}

fn content(description: &str, media_type: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { media_type: { "schema": schema } } })
}

fn tagged(description: &str, located: bool) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/operation" });
    let mut response = content(description, "application/json", &schema);
    let mut headers = json!({ "ETag": { "required": true, "schema": { "type": "string" } } });
    if let (true, Value::Object(headers)) = (located, &mut headers) {
        headers.insert(
            "Location".into(),
            json!({ "required": true, "schema": { "type": "string", "format": "uri" } }),
        );
    }
    if let Value::Object(response) = &mut response {
        response.insert("headers".into(), headers);
    }
    response
}

fn entity(status: &str, may_match: bool) -> Responses {
    let mut responses = one(status, tagged("The operation", false));
    if may_match {
        responses.insert("304".into(), json!({ "description": "It is as it was" }));
    }
    responses
}

fn changed() -> Responses {
    let mut responses = entity("200", false);
    responses.extend(no_content());
    responses
}

fn created() -> Responses {
    let mut responses = one("200", tagged("The operation, as the same request had made it before", true));
    responses.insert("201".into(), tagged("The operation", true));
    responses.insert("204".into(), json!({ "description": "Created; its address is in the headers" }));
    responses
}

fn no_content() -> Responses {
    one("204", json!({ "description": "Done" }))
}

fn listed() -> Responses {
    let schema = json!({ "$ref": "#/components/schemas/operations" });
    one("200", content("A page of operations", "application/json", &schema))
}

fn counted() -> Responses {
    one("200", content("The number", "text/plain", &json!({ "type": "integer", "minimum": 0 })))
}

fn events(ends: bool) -> Responses {
    let mut responses = one("200", content("Events", "text/event-stream", &json!({ "type": "string" })));
    if ends {
        responses.insert("204".into(), json!({ "description": "Nothing will come: it has ended" }));
    }
    responses
}

fn described(below: &str) -> Responses {
    let (media_type, schema) = match below {
        "/$metadata" => ("application/xml", json!({ "type": "string" })),
        _ => ("application/json", json!({ "type": "object" })),
    };
    one("200", content("The description", media_type, &schema))
}

fn refused() -> Value {
    content("Refused", "application/json", &json!({ "$ref": "#/components/schemas/error" }))
}

fn query(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "schema": schema })
}

fn header(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "header", "schema": schema })
}

fn select() -> Value {
    let schema = json!({
        "type": "array",
        "minItems": 1,
        "items": { "type": "string", "enum": ["id", "status", "createdDateTime", "lastActionDateTime", "type", "error"] },
    });
    json!({ "name": "$select", "in": "query", "style": "form", "explode": false, "schema": schema })
}

fn filter() -> Value {
    let status = "status eq '(NotStarted|Running|Completed|Failed)'";
    query(
        "$filter",
        &json!({ "type": "string", "pattern": format!("^{status}( and type eq '[A-Za-z0-9]{{1,20}}')?$") }),
    )
}

fn order() -> Value {
    query(
        "$orderby",
        &json!({ "type": "string", "enum": ["createdDateTime", "createdDateTime asc", "createdDateTime desc"] }),
    )
}

fn top() -> Value {
    query("$top", &json!({ "type": "integer", "minimum": 0 }))
}

fn count() -> Value {
    query("$count", &json!({ "type": "boolean" }))
}

fn skip_token() -> Value {
    query("$skiptoken", &json!({ "type": "string", "description": "From a next link; no other text" }))
}

fn page_size() -> Value {
    header("Prefer", &json!({ "type": "string", "pattern": "^(odata\\.)?maxpagesize=[1-9][0-9]{0,2}$" }))
}

fn wait() -> Value {
    header("Prefer", &json!({ "type": "string", "pattern": "^wait=[0-9]$" }))
}

fn prefer_return() -> Value {
    header("Prefer", &json!({ "type": "string", "enum": ["return=minimal", "return=representation"] }))
}

fn if_match() -> Value {
    header("If-Match", &json!({ "type": "string", "pattern": "^(\\*|(W/)?\"[!#-~]*\")$" }))
}

fn latest() -> Value {
    query("$deltatoken", &json!({ "type": "string", "enum": ["latest"] }))
}

fn last_event() -> Value {
    header("Last-Event-ID", &json!({ "type": "string", "description": "From an event; no other text" }))
}
