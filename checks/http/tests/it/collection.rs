//! I. Collection.

use std::time::Duration;

use longrun::{NewOperation, Patch, Status};
use serde_json::Value;

use crate::support::{NOTES, SET, Server};

/// Seven operations, a second apart: three Running, four NotStarted, of two types, two with a label.
async fn seven() -> Server {
    let server = Server::new().await;
    for n in 0..7 {
        let mut new = NewOperation::new(if n % 2 == 0 { "export" } else { "im'port" })
            .id(format!("op-{n}").parse::<longrun::OperationId>().unwrap());
        if n < 3 {
            new = new.patch(Patch::new().status(Status::Running));
        }
        if n % 3 == 0 {
            new = new.label("order.no-1", "a b");
        }
        server.tracker.create(new).await.unwrap();
        server.clock.advance(Duration::from_secs(1));
    }
    server
}

fn ids(list: &Value) -> Vec<String> {
    list["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Encodes a query as strict clients do.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~=&$".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

async fn listed(server: &Server, query: &str) -> Vec<String> {
    let reply = server.get(&format!("{SET}?{}", encoded(query))).await;
    ids(&reply.is(200).json())
}

#[tokio::test]
async fn rule_103_the_list_and_its_count() {
    let server = seven().await;
    let reply = server.get(&format!("{SET}?$top=3&$count=true")).await;
    let list = reply.is(200).json();
    assert_eq!(list["@odata.context"], format!("http://{}/v1.0/$metadata#operations", server.address));
    assert!(reply.text().starts_with("{\"@odata.context\":"));
    assert_eq!(
        (&list["@odata.count"], ids(&list)),
        (&7.into(), vec!["op-0".to_owned(), "op-1".into(), "op-2".into()])
    );
    let all = server.get(SET).await.json();
    assert!(all.get("@odata.count").is_none() && all.get("@odata.nextLink").is_none());
    assert_eq!(ids(&all).len(), 7);
    let none = server.get(&format!("{SET}?$top=0&$count=true")).await.json();
    assert_eq!((ids(&none).len(), &none["@odata.count"], none.get("@odata.nextLink")), (0, &7.into(), None));
    let running =
        server.get(&format!("{SET}?{}", encoded("$count=true&$top=1&$filter=status eq 'Running'"))).await.json();
    assert_eq!(running["@odata.count"], 3);
}

#[tokio::test]
async fn rule_104_the_next_link() {
    let server = seven().await;
    for query in ["", "$filter=type eq 'im''port'&$select=id&$count=true", "$orderby=createdDateTime desc"] {
        let expected = listed(&server, query).await;
        let mut next = Some(format!("http://{}{SET}?$top=2&{}", server.address, encoded(query)));
        let (mut seen, mut pages) = (Vec::new(), 0);
        while let Some(url) = next {
            let path =
                url.strip_prefix(&format!("http://{}", server.address)).expect("an absolute link").to_owned();
            let list = server.get(&path).await.is(200).json();
            assert!(ids(&list).len() <= 2);
            seen.extend(ids(&list));
            pages += 1;
            // Somebody writes meanwhile.
            server.tracker.heartbeat(&"op-6".parse().unwrap()).await.unwrap();
            next = list.get("@odata.nextLink").map(|link| link.as_str().unwrap().to_owned());
        }
        assert_eq!((seen, pages), (expected.clone(), expected.len().div_ceil(2)), "{query}");
    }
    for token in ["x", "1-0-0-op-1", ""] {
        server.get(&format!("{SET}?$skiptoken={token}")).await.refused(400, "invalidSkipToken");
    }
    let link = server.get(&format!("{SET}?$top=2")).await.member("@odata.nextLink");
    let token = link.split("$skiptoken=").nth(1).unwrap();
    server
        .get(&format!("{SET}?$skiptoken={token}&{}", encoded("$filter=type eq 'export'")))
        .await
        .refused(400, "invalidSkipToken");
}

#[tokio::test]
async fn rule_105_the_clients_page_size() {
    let server = seven().await;
    for name in ["maxpagesize", "odata.maxpagesize"] {
        let reply = server.get_with(SET, &[("Prefer", &format!("{name}=3"))]).await;
        assert_eq!(reply.is(200).header("preference-applied"), Some(&*format!("{name}=3")));
        assert_eq!(ids(&reply.json()), ["op-0", "op-1", "op-2"]);
        assert!(reply.json()["@odata.nextLink"].is_string());
    }
    let reply = server.get_with(SET, &[("Prefer", "maxpagesize=5000")]).await;
    assert_eq!(reply.header("preference-applied"), Some("maxpagesize=1000"));
    let reply = server.get_with(SET, &[("Prefer", "maxpagesize=0")]).await;
    assert_eq!((reply.header("preference-applied"), ids(&reply.json()).len()), (None, 7));
}

#[tokio::test]
async fn rule_106_filter_by_status() {
    let server = seven().await;
    let running = ["op-0", "op-1", "op-2"];
    for filter in [
        "status eq 'Running'",
        "status eq microsoft.graph.operationStatus'Running'",
        "status eq ODataDemo.Wrong'running'",
        "(status eq 'Running')",
    ] {
        assert_eq!(listed(&server, &format!("$filter={filter}")).await, running, "{filter}");
    }
    // As forms encode it.
    let reply = server.get(&format!("{SET}?$filter=status+eq+'Running'")).await;
    assert_eq!(ids(&reply.json()), running);
    server
        .get(&format!("{SET}?{}", encoded("$filter=status eq 'Cancelled'")))
        .await
        .refused(400, "invalidQueryOption");
}

#[tokio::test]
async fn rule_107_what_filters_can_ask() {
    let server = seven().await;
    for (query, expected) in [
        ("$filter=status eq 'Running' or status eq 'Failed'", &["op-0", "op-1", "op-2"][..]),
        ("$filter=status in ('Running','Failed')", &["op-0", "op-1", "op-2"]),
        ("$filter=status in ('Failed')", &[]),
        ("$filter=type eq 'im''port' and (status eq 'Running' or status eq 'Completed')", &["op-1"]),
        ("$filter=labels/order.no-1 eq 'a b'", &["op-0", "op-3", "op-6"]),
        ("$filter=labels/order.no-1 eq 'a b' and status eq 'NotStarted'", &["op-3", "op-6"]),
        ("$filter=createdDateTime ge 2026-03-01T12:00:05.1234567Z", &["op-5", "op-6"]),
        ("$filter=createdDateTime gt 2026-03-01T12:00:05.1234567Z", &["op-6"]),
        ("$filter=createdDateTime lt 2026-03-01T15:00:01.1234567+03:00", &["op-0"]),
        (
            "$filter=createdDateTime le 2026-03-01T12:00:01.1234567Z and createdDateTime gt 2026-03-01T12:00:00.1234567Z",
            &["op-1"],
        ),
        ("$orderby=createdDateTime desc&$top=2", &["op-6", "op-5"]),
        ("$orderby=createdDateTime asc&$top=1", &["op-0"]),
    ] {
        assert_eq!(listed(&server, query).await, expected, "{query}");
    }
    // A plus sign that nobody encoded.
    let reply =
        server.get(&format!("{SET}?$filter=createdDateTime%20lt%202026-03-01T15:00:01.1234567+03:00")).await;
    assert_eq!(ids(&reply.is(200).json()), ["op-0"]);
    server.tracker.complete(&"op-1".parse().unwrap(), 1).await.unwrap();
    let by_end = "$filter=status eq 'Completed' and lastActionDateTime ge 2026-03-01T12:00:06Z&$orderby=lastActionDateTime desc";
    assert_eq!(listed(&server, by_end).await, ["op-1"]);
    for filter in [
        "status eq 'Running' or status eq 'Failed' and type eq 'export'",
        "status ne 'Running'",
        "not (status eq 'Running')",
        "type eq 'a' or type eq 'b'",
        "labels/a eq 'b' and labels/c eq 'd'",
        "startswith(type,'a')",
        "createdDateTime eq 2026-03-01T12:00:00Z",
        "lastActionDateTime gt 2026-03-01T12:00:00Z",
        "status eq 'Completed' and lastActionDateTime gt 2026-03-01T12:00:00Z",
        "createdDateTime gt 2026-03-01T12:00:00Z and createdDateTime gt 2026-03-01T12:00:01Z",
        "percentageComplete gt 5 add 3",
        "labels/any(l:l/key eq 'x')",
        "'Running' eq status",
        "id eq null",
    ] {
        let reply = server.get(&format!("{SET}?$filter={}", encoded(filter))).await;
        assert_eq!(reply.refused(501, "filterNotSupported").json()["error"]["target"], "$filter", "{filter}");
    }
    server.get(&format!("{SET}?$orderby=status")).await.refused(501, "queryOptionNotSupported");
    let range = encoded("$count=true&$filter=createdDateTime ge 2026-03-01T12:00:05Z");
    server.get(&format!("{SET}?{range}")).await.refused(501, "queryOptionNotSupported").about("$count");
}

#[tokio::test]
async fn rule_108_malformed_options() {
    let server = seven().await;
    for query in [
        "$top=-1",
        "$top=x",
        "$top=",
        "$top=1.5",
        "$count=yes",
        "$count=",
        "$filter=",
        "$filter=status eq",
        "$filter=status eq 'x",
        "$filter=(status eq 'Running'",
        "$filter=status eq 'Running' extra",
        "$filter='x'",
        "$filter=createdDateTime gt 2026-02-30T00:00:00Z",
        "$orderby=",
        "$orderby=createdDateTime up",
        "$orderby=createdDateTime,",
        "$select=",
        "$select=nope",
        "$select=id,,status",
        "$filter=%ff",
        "$filter=%zz",
    ] {
        let reply = server.get(&format!("{SET}?{}", query.replace(' ', "%20"))).await;
        reply.refused(400, "invalidQueryOption");
    }
    server.get(&format!("{SET}?$bogus=1")).await.refused(400, "unknownQueryOption").about("$bogus");
    server.get(&format!("{SET}?$top=1&top=2")).await.refused(400, "duplicateQueryOption").about("$top");
    server.get(&format!("{SET}/op-1?$top=1")).await.refused(400, "invalidQueryOption");
    server.get(&format!("{SET}?custom=1&other")).await.is(200);
    let deep = format!("{}status eq 'Running'{}", "(".repeat(100_000), ")".repeat(100_000));
    let reply = server.get(&format!("{SET}?$filter={}", encoded(&deep)[..40_000].to_owned())).await;
    reply.refused(400, "invalidQueryOption");
}

#[tokio::test]
async fn rule_109_options_that_there_are_not() {
    let server = seven().await;
    for name in ["expand", "search", "apply", "compute", "skip"] {
        for path in [
            format!("{SET}?${name}=1"),
            format!("{SET}?{name}=1"),
            format!("{SET}/op-1?${name}=x"),
            format!("{SET}/$count?${name}=1"),
        ] {
            server.get(&path).await.refused(501, "queryOptionNotSupported").about(&format!("${name}"));
        }
    }
    // What is malformed is told first.
    server.get(&format!("{SET}?$skip=1&$top=x")).await.refused(400, "invalidQueryOption");
}

#[tokio::test]
async fn rule_110_names_with_and_without_their_sign() {
    let server = seven().await;
    for name in ["$top", "%24top", "top", "$TOP"] {
        let reply = server.get(&format!("{SET}?{name}=2")).await;
        assert_eq!(ids(&reply.is(200).json()), ["op-0", "op-1"], "{name}");
    }
}

#[tokio::test]
async fn rule_111_select_trims() {
    let server = seven().await;
    let reply = server.get(&format!("{SET}?$select=id,%20status&$top=1")).await;
    let list = reply.is(200).json();
    let mut names: Vec<_> = list["value"][0].as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["@odata.etag", "@odata.type", "id", "status"]);
    assert!(list["@odata.context"].as_str().unwrap().ends_with("#operations(id,status)"));
    let one = server.get(&format!("{SET}/op-1?$select=labels,type")).await.json();
    assert!(one.get("id").is_none() && one["type"] == "im'port");
    let star = server.get(&format!("{SET}/op-1?$select=*")).await.json();
    assert!(star["id"].is_string() && star["status"].is_string());
}

#[tokio::test]
async fn rule_134_the_number_alone() {
    let server = seven().await;
    for (query, number) in [
        ("", "7"),
        ("?$filter=status eq 'Running'", "3"),
        ("?$filter=status eq 'Running' and type eq 'export'", "2"),
        ("?$filter=labels/order.no-1 eq 'a b'", "3"),
        ("?$filter=labels/order.no-1 eq 'a b' and status eq 'Running'", "1"),
        ("?$filter=type eq 'none'", "0"),
        ("?$top=1", "7"),
    ] {
        let reply = server.get(&format!("{SET}/$count{}", query.replace(' ', "%20"))).await;
        assert_eq!((reply.is(200).text(), reply.header("content-type")), (number, Some("text/plain")), "{query}");
    }
    let count = server.get_with(&format!("{SET}/$count"), &[("Accept", "text/plain")]).await;
    assert_eq!(count.is(200).text(), "7");
    server.get(&format!("{SET}/$count?$filter=status")).await.refused(501, "filterNotSupported");
    server.get(&format!("{SET}/$count?$filter=status%20eq")).await.refused(400, "invalidQueryOption");
    server.get(&format!("{SET}/$count?$expand=x")).await.refused(501, "queryOptionNotSupported");
    let range = "createdDateTime%20gt%202026-03-01T12:00:00Z";
    server.get(&format!("{SET}/$count?$filter={range}")).await.refused(501, "queryOptionNotSupported");
    // One store under every mount.
    assert_eq!(server.get(&format!("{NOTES}/$count")).await.text(), "7");
    assert_eq!(server.get(&format!("{NOTES}/op-3")).await.member("id"), "op-3");
}
