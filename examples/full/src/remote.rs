//! A `serve` in another process, asked over HTTP. Calls block: the examples that use it have a thread for that.

use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use longrun::Status;
use longrun::store::Counts;
use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

use crate::Failed;

/// Where `serve` and `worker_http` mount Graph's face.
const SET: &str = "/v1.0/operations";
/// The longest wait of one request.
const WAIT: Duration = Duration::from_secs(30);

/// A service that tracks operations.
#[derive(Debug)]
pub struct Remote {
    agent: Agent,
    origin: String,
    token: Option<String>,
}

/// An event of a feed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The operation is so now.
    Updated(Value),
    /// The operation of this id is gone.
    Deleted(String),
}

impl Remote {
    /// `host:port` or an address that begins with `http://`.
    pub fn new(address: &str, token: Option<String>) -> Self {
        let address = address.trim_end_matches('/');
        let origin = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(WAIT * 2));
        Self { agent: config.build().into(), origin, token }
    }

    /// One operation.
    pub fn get(&self, id: &str) -> Result<Value, Failed> {
        self.json(self.send("GET", &format!("{SET}/{}", encode(id)), &[])?)
    }

    /// A list by OData's words, such as `$filter=..&$top=10`; at most `limit` of it.
    pub fn list(&self, query: &str, limit: usize) -> Result<Vec<Value>, Failed> {
        let mut found = Vec::new();
        let mut next = Some(format!("{SET}?{query}"));
        while let Some(path) = next.take() {
            let mut page = self.json(self.send("GET", &path, &[])?)?;
            if let Some(Value::Array(items)) = page.get_mut("value").map(Value::take) {
                found.extend(items);
            }
            let link = page.get("@odata.nextLink").and_then(Value::as_str);
            // The service's own address of itself may be another than the one that leads there.
            next = link.and_then(|link| link.find(SET).and_then(|at| link.get(at..))).map(Into::into);
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        Ok(found)
    }

    /// Asks an operation to end.
    pub fn cancel(&self, id: &str) -> Result<(), Failed> {
        self.checked(self.send("POST", &format!("{SET}/{}/cancel", encode(id)), &[])?).map(drop)
    }

    /// An operation once it has ended, or as it is after `bound`.
    pub fn wait(&self, id: &str, bound: Duration) -> Result<Value, Failed> {
        let until = Instant::now() + bound;
        loop {
            let left = until.saturating_duration_since(Instant::now()).min(WAIT);
            let prefer = format!("wait={}", left.as_secs_f64().ceil());
            let now = self.json(self.send("GET", &format!("{SET}/{}", encode(id)), &[("Prefer", &prefer)])?)?;
            let status = now.get("status").and_then(Value::as_str).and_then(|word| word.parse::<Status>().ok());
            if status.is_some_and(Status::is_terminal) || left.is_zero() {
                return Ok(now);
            }
        }
    }

    /// How many operations there are.
    pub fn counts(&self) -> Result<Counts, Failed> {
        let mut response = self.checked(self.send("GET", "/metrics", &[])?)?;
        let text = response.body_mut().read_to_string()?;
        let mut counts = Counts::default();
        for (type_name, status, count) in text.lines().filter_map(series) {
            counts.add(Some(&*type_name).filter(|name| !name.is_empty()), status, count);
        }
        Ok(counts)
    }

    /// Follows all operations, or one, from now on: `ready` is called once nothing is missed any more, `each`
    /// with each event. Answers when the stream ends or `each` says so.
    pub fn events(
        &self,
        id: Option<&str>,
        ready: impl FnOnce() -> Result<(), Failed>,
        mut each: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), Failed> {
        let path = match id {
            Some(id) => format!("{SET}/{}/events", encode(id)),
            None => format!("{SET}/events?$deltatoken=latest"),
        };
        let response = self.checked(self.send("GET", &path, &[("Accept", "text/event-stream")])?)?;
        ready()?;
        let mut is_deleted = false;
        for line in BufReader::new(response.into_body().into_reader()).lines() {
            let line = line?;
            match line.split_once(": ") {
                Some(("event", name)) => is_deleted = name == "deleted",
                Some(("data", data)) => {
                    let data: Value = serde_json::from_str(data)?;
                    let of = data.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
                    if each(if is_deleted { Event::Deleted(of) } else { Event::Updated(data) }).is_break() {
                        break;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Result<Response<Body>, Failed> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let sent = self.agent.run(request.body(())?);
        Ok(sent.map_err(|error| format!("{}: {error}", self.origin))?)
    }

    /// A refusal in the service's own words.
    fn checked(&self, mut response: Response<Body>) -> Result<Response<Body>, Failed> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body: Value = response.body_mut().read_json().unwrap_or_default();
        let message = body.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason given");
        Err(format!("{}: {status}: {message}", self.origin).into())
    }

    fn json(&self, response: Response<Body>) -> Result<Value, Failed> {
        Ok(self.checked(response)?.body_mut().read_json()?)
    }
}

/// One line of Prometheus' text format: `longrun_operations{type="export",status="Running"} 3`.
fn series(line: &str) -> Option<(String, Status, u64)> {
    let rest = line.strip_prefix("longrun_operations{type=\"")?;
    let (type_name, rest) = rest.rsplit_once("\",status=\"")?;
    let (status, count) = rest.split_once("\"} ")?;
    Some((type_name.replace("\\\"", "\"").replace("\\\\", "\\"), status.parse().ok()?, count.parse().ok()?))
}

/// What is no unreserved character of a URL's path, percent-encoded.
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded: Vec<String> = text
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    encoded.concat()
}
