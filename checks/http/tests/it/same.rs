//! The library and HTTP answer the same for the same sequence of requests.

use std::time::Duration;

use longrun::{Error, NewOperation, Operation, OperationId};

use crate::support::{JSON, Reply, SET, Server};

/// A small generator of numbers: the same seed, the same sequence (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

const MEMBERS: [&str; 24] = [
    r#""status":"Running""#,
    r#""status":"Running""#,
    r#""status":"Completed""#,
    r#""status":"failed""#,
    r#""status":"NotStarted""#,
    r#""status":"String""#,
    r#""status":null"#,
    r#""percentageComplete":10"#,
    r#""percentageComplete":60"#,
    r#""percentageComplete":101"#,
    r#""statusDetail":"reading""#,
    r#""statusDetail":null"#,
    r#""resourceLocation":"/out/1""#,
    r#""resourceLocation":null"#,
    r#""result":{"rows":[1,2]}"#,
    r#""error":{"code":"a","message":"b"}"#,
    r#""error":null"#,
    r#""lastActionDateTime":"2026-03-01T12:00:10Z""#,
    r#""lastActionDateTime":"2026-03-01T12:00:05+00:00""#,
    r#""lastActionDateTime":"2027-01-01T00:00:00Z""#,
    r#""lastActionDateTime":"2020-01-01T00:00:00Z""#,
    r#""lastActionDateTime":"soon""#,
    r#""id":"x","createdDateTime":7"#,
    r#""unknown":1"#,
];

/// Two answers to one request.
fn same(reply: &Reply, answer: &Result<Operation, Error>, request: &str) {
    match answer {
        Ok(operation) => {
            let entity = longrun::wire::to_json(&longrun::wire::Entity::new(operation));
            let expected: serde_json::Value = serde_json::from_str(&entity).unwrap();
            let mut shown = reply.is(200).json();
            let members = shown.as_object_mut().unwrap();
            members.remove("@odata.context");
            members.remove("@odata.etag");
            assert_eq!(shown, expected, "{request}");
        }
        Err(error) => {
            reply.refused(error.http_status(), error.code());
            let shown = &reply.json()["error"];
            assert_eq!(shown["target"].as_str(), error.target(), "{request}");
            assert_eq!(shown["message"], error.to_string(), "{request}");
        }
    }
}

#[tokio::test]
async fn the_library_and_http_answer_the_same() {
    for seed in 1..=40 {
        let mut dice = Dice(seed);
        let (over_http, library) = (Server::new().await, Server::new().await);
        let id: OperationId = "one".parse().unwrap();
        let path = format!("{SET}/one");
        for _ in 0..50 {
            let seconds = Duration::from_secs(dice.roll(4).try_into().unwrap());
            over_http.clock.advance(seconds);
            library.clock.advance(seconds);
            match dice.roll(12) {
                0 => {
                    let reply = over_http.post(SET, r#"{"id":"one","type":"export"}"#).await;
                    let made =
                        library.tracker.create_new(NewOperation::new("export").id(id.clone())).await.unwrap();
                    assert_eq!(reply.status, if made.is_new { 201 } else { 200 });
                }
                1 => {
                    let reply = over_http.send("DELETE", &path, &[], "").await;
                    match library.tracker.delete(&id).await {
                        Ok(()) => assert_eq!(reply.status, 204),
                        Err(error) => drop(reply.refused(error.http_status(), error.code())),
                    }
                }
                2 => {
                    let reply = over_http.send("POST", &format!("{path}/cancel"), &[], "").await;
                    match library.tracker.cancel(&id).await {
                        Ok(_) => assert_eq!(reply.status, 204),
                        Err(error) => drop(reply.refused(error.http_status(), error.code())),
                    }
                }
                3 => {
                    let holder = *dice.pick(&["a", "b", "open:1:1", ""]);
                    let reply =
                        over_http.post(&format!("{path}/start"), &format!(r#"{{"holder":"{holder}"}}"#)).await;
                    same(&reply, &library.tracker.claim(&id, holder).await, holder);
                }
                4 => {
                    let reply = over_http.get(&path).await;
                    same(&reply, &library.tracker.get(&id).await, "GET");
                }
                _ => {
                    let members: Vec<_> = (0..=dice.roll(2)).map(|_| *dice.pick(&MEMBERS)).collect();
                    let body = format!("{{{}}}", members.join(","));
                    let if_match = *dice.pick(&[None, None, None, Some("*"), Some("\"stale\""), Some("bad")]);
                    let mut headers = vec![JSON];
                    headers.extend(if_match.map(|tag| ("If-Match", tag)));
                    let reply = over_http.send("PATCH", &path, &headers, &body).await;
                    let answer = library.tracker.patch_json(&id, if_match, body.as_bytes()).await;
                    // A header that is no tag is told before an id that is not there is looked up, in the library.
                    let unknown = reply.status == 404 && if_match == Some("bad");
                    if !unknown {
                        same(&reply, &answer, &format!("{if_match:?} {body}"));
                    }
                }
            }
        }
    }
}
