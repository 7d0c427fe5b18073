//! The pages, replayed (PROTOCOL 131): every `request` block is sent, every `response` block compared.
//!
//! `fixtures/update-operation.stub.md` is Microsoft's generated stub of the page, as it was never finished
//! (Microsoft Graph documentation, CC BY 4.0); it is replayed for what it can say.

use std::path::{Path, PathBuf};

use longrun::http::Access;
use longrun::model::Query;
use longrun::{NewOperation, OperationId, Patch, Status};
use serde_json::Value;

use crate::support::{Reply, SET, Server, date};

const ID: &str = "b9c58abd-8abd-b9c5-bd8a-c5b9bd8ac5b9";
const CREATED: &str = "2016-12-31T23:57:22.3554145+03:00";
const NOW: &str = "2017-01-01T00:01:24.0000000+03:00";

/// An annotated block of a page.
#[derive(Debug)]
struct Block {
    annotation: Value,
    text: String,
}

impl Block {
    fn kind(&self) -> &str {
        self.annotation["blockType"].as_str().unwrap()
    }

    /// First line, headers, body; the body with the line ends of the page's own lengths.
    fn parts(&self) -> (&str, Vec<(&str, &str)>, String) {
        let (head, body) = self.text.split_once("\n\n").unwrap_or((&self.text, ""));
        let mut lines = head.lines();
        let first = lines.next().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap()).collect();
        (first, headers, body.trim_end().replace('\n', "\r\n"))
    }
}

fn blocks(page: &str) -> Vec<Block> {
    let page = page.replace("\r\n", "\n");
    let mut blocks = Vec::new();
    for part in page.split("<!--").skip(1) {
        let (annotation, rest) = part.split_once("-->").unwrap();
        let fence = rest.trim_start().strip_prefix("```").expect("a block after each annotation");
        let text = fence.split_once('\n').unwrap().1.split_once("```").unwrap().0;
        blocks.push(Block { annotation: serde_json::from_str(annotation).unwrap(), text: text.to_owned() });
    }
    blocks
}

fn docs(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(folder)
}

/// A server at the page's time with the page's operation in a status, if it is there.
async fn prepared(status: Option<Status>) -> Server {
    let server = Server::with(Access::open(), |graph| graph.base_url("https://jobs.example.com")).await;
    server.clock.set(date(CREATED));
    if let Some(status) = status {
        let id: OperationId = ID.parse().unwrap();
        let created = server.tracker.create(NewOperation::untyped().id(id)).await.unwrap();
        server.walk(&created, status).await;
        server.clock.set(date(NOW));
    }
    server
}

/// Every member that the page shows is in the answer, with its value.
fn shows(answer: &Value, page: &Value, at: &str) {
    match page {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| shows(&answer[name], value, &format!("{at}/{name}")));
        }
        Value::Array(items) => {
            assert_eq!(answer.as_array().map(Vec::len), Some(items.len()), "{at}");
            items.iter().enumerate().for_each(|(n, value)| shows(&answer[n], value, &format!("{at}/{n}")));
        }
        value => assert_eq!(answer, value, "{at}"),
    }
}

async fn sent(server: &Server, request: &Block) -> Reply {
    let (line, headers, body) = request.parts();
    let (method, url) = line.split_once(' ').unwrap();
    let path = url.strip_prefix("https://jobs.example.com").unwrap();
    if let Some((_, length)) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        assert_eq!(*length, body.len().to_string());
    }
    let headers: Vec<_> =
        headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length")).collect();
    server.send(method, path, &headers, body).await
}

#[tokio::test]
async fn rule_131_the_pages_are_what_the_server_does() {
    let mut replayed = Vec::new();
    for file in std::fs::read_dir(docs("api")).unwrap() {
        let page = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!page.contains("TODO") && !page.contains("**"), "an unfinished page");
        let blocks = blocks(&page);
        let examples: Vec<_> = blocks.iter().filter(|block| block.kind() != "ignored").collect();
        for pair in examples.chunks(2) {
            let [request, response] = pair else { panic!("a request without a response") };
            assert_eq!((request.kind(), response.kind()), ("request", "response"));
            let name = request.annotation["name"].as_str().unwrap().to_owned();
            let server = prepared(match &*name {
                "create_operation" => None,
                "delete_operation" => Some(Status::Completed),
                _ => Some(Status::Running),
            })
            .await;
            let reply = sent(&server, request).await;
            let (line, headers, body) = response.parts();
            let status = line.split(' ').nth(1).unwrap().parse().unwrap();
            reply.is(status);
            for (name, value) in headers {
                assert_eq!(reply.header(&name.to_ascii_lowercase()), Some(value), "{name}");
            }
            if body.is_empty() {
                assert!(reply.body.is_empty());
            } else {
                let shown: Value = serde_json::from_str(&body).unwrap();
                shows(&reply.json(), &shown, &name);
                if response.annotation["truncated"] != true {
                    assert_eq!(reply.json(), shown);
                }
            }
            replayed.push(name);
        }
    }
    replayed.sort();
    assert_eq!(
        replayed,
        ["create_operation", "delete_operation", "get_operation", "list_operations", "update_operation"]
    );
}

#[tokio::test]
async fn rule_131_the_finished_page_has_the_headings_of_the_stub() {
    let headings = |page: &str| -> Vec<String> {
        page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim().to_owned()).collect()
    };
    let stub = include_str!("../../fixtures/update-operation.stub.md");
    let page = std::fs::read_to_string(docs("api/update-operation.md")).unwrap();
    assert_eq!(headings(&page), headings(stub));
    for property in ["id", "status", "createdDateTime", "lastActionDateTime"] {
        assert!(page.contains(&format!("|{property}|")) && stub.contains(&format!("|{property}|")));
    }
}

#[tokio::test]
async fn rule_131_the_stub_for_what_it_can_say() {
    let stub = include_str!("../../fixtures/update-operation.stub.md");
    let blocks = blocks(stub);
    let find = |kind: &str| blocks.iter().find(|block| block.kind() == kind).unwrap();
    let (_, request_headers, request) = find("request").parts();
    let (_, response_headers, response) = find("response").parts();
    for (headers, body) in [(&request_headers, &request), (&response_headers, &response)] {
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length")).unwrap().1;
        assert_eq!(length, body.len().to_string());
    }
    let server = prepared(Some(Status::Running)).await;
    let path = format!("{SET}/{ID}");
    let before = server.tracker.get(&ID.parse().unwrap()).await.unwrap();
    server.patch(&before, &request).await.refused(400, "invalidPropertyValue").about("status");
    assert_eq!(server.record(&before).await, before);
    let filled = request.replace("\"String\"", "\"Failed\"");
    let reply = server.send("PATCH", &path, &[crate::support::JSON], &filled).await;
    let answer = reply.is(200).json();
    // The five members, in the page's order, with the page's values, two spaces and CRLF: the page's 244 bytes.
    let names = ["@odata.type", "id", "status", "createdDateTime", "lastActionDateTime"];
    let places = names.map(|name| reply.text().find(&format!("\"{name}\":")).unwrap());
    assert!(places.is_sorted());
    let lines = names.map(|name| format!("  \"{name}\": {}", answer[name]));
    let printed = format!("{{\r\n{}\r\n}}", lines.join(",\r\n"));
    assert_eq!(printed, response.replace("\"String\"", "\"Failed\""));
    assert_eq!(printed.len(), 244);
}

#[tokio::test]
async fn the_resource_page_names_what_operations_have() {
    let page = std::fs::read_to_string(docs("resources/operation.md")).unwrap();
    let resource: Value = serde_json::from_str(&blocks(&page)[0].text).unwrap();
    let server = Server::new().await;
    let new = NewOperation::new("export").label("a", "b").retry_of("x".parse::<OperationId>().unwrap());
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let deadline = "2031-01-01T00:00:00Z".parse::<longrun::model::Timestamp>().unwrap().to_datetime();
    let new = new.group("g").unique("k").trace_parent(trace).deadline(deadline);
    let id = server.tracker.create(new).await.unwrap().id().clone();
    server.tracker.claim(&id, "w").await.unwrap();
    server
        .tracker
        .patch(&id, Patch::new().progress((1, 20, "rows")).detail("x").resource_location("/x"))
        .await
        .unwrap();
    server.tracker.cancel(&id).await.unwrap();
    server.tracker.complete(&id, 1).await.unwrap();
    let mut shown: Vec<String> = server
        .tracker
        .page(&Query::default())
        .await
        .unwrap()
        .items
        .iter()
        .flat_map(|operation| {
            let entity = longrun::wire::to_json(&longrun::wire::Entity::new(operation));
            serde_json::from_str::<Value>(&entity).unwrap().as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        })
        .filter(|name| !name.starts_with('@'))
        .chain(["error".to_owned()])
        .collect();
    let mut told: Vec<String> = resource.as_object().unwrap().keys().cloned().collect();
    shown.sort();
    told.sort();
    assert_eq!(told, shown);
}
