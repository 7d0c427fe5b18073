//! A worker in another process: it claims with start, reports by PATCH with If-Match, survives lost answers.
//!
//! ```text
//! $ cargo run -p longrun-examples --example remote_worker -- http://127.0.0.1:8080
//! claimed 01a0b1c2-..
//! completed 01a0b1c2-..
//! nothing left: 1 done, 0 lost to others
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to people")]
#![expect(clippy::indexing_slicing, reason = "a JSON value that is indexed answers null, it does not panic")]

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Response;

/// How often a request whose answer was lost is sent again.
const TRIES: u32 = 8;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Worker {
    agent: Agent,
    set: String,
    token: Option<String>,
    name: String,
}

/// An answer: its status, its tag, its body.
struct Answer {
    status: u16,
    etag: Option<String>,
    body: Value,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("remote_worker URL [TOKEN]")?;
    let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(10)));
    let worker = Worker {
        agent: config.build().into(),
        set: format!("{}/v1.0/operations", url.trim_end_matches('/')),
        token: arguments.next(),
        name: format!("worker-{}", std::process::id()),
    };
    let (mut done, mut lost) = (0, 0);
    while let Some(id) = worker.find()? {
        if worker.work(&id)? { done += 1 } else { lost += 1 }
    }
    println!("nothing left: {done} done, {lost} lost to others");
    Ok(())
}

impl Worker {
    /// An operation that nobody has started.
    fn find(&self) -> Result<Option<String>> {
        let list = self.send("GET", "?$top=1&$filter=status%20eq%20'NotStarted'", None, None)?;
        Ok(list.body["value"][0]["id"].as_str().map(Into::into))
    }

    /// Claims an operation and works it to its end; `false` if another worker has it.
    fn work(&self, id: &str) -> Result<bool> {
        // The same holder again finds its own claim, so that a lost answer does no harm.
        let claim = self.send("POST", &format!("/{id}/start"), None, Some(&json!({ "holder": self.name })))?;
        if claim.status == 409 {
            return Ok(false);
        }
        println!("claimed {id}");
        let mut etag = claim.etag;
        for percent in [25, 50, 75] {
            std::thread::sleep(Duration::from_millis(100));
            match self.report(id, etag.as_deref(), &json!({ "percentageComplete": percent }))? {
                Some(next) => etag = Some(next),
                None => return Ok(false),
            }
        }
        let end = json!({ "status": "Completed", "result": { "by": self.name } });
        let ended = self.report(id, etag.as_deref(), &end)?.is_some();
        println!("{} {id}", if ended { "completed" } else { "lost" });
        Ok(ended)
    }

    /// Reports a change on top of what was read last; `None` if the operation is no longer this worker's.
    fn report(&self, id: &str, etag: Option<&str>, change: &Value) -> Result<Option<String>> {
        let mut etag = etag.map(str::to_owned);
        for _ in 0..TRIES {
            let answer = self.send("PATCH", &format!("/{id}"), etag.as_deref(), Some(change))?;
            match answer.status {
                200 => return Ok(answer.etag),
                // It changed: by this very report, whose answer was lost, by a wish to cancel, or by somebody else.
                412 => {
                    let now = self.send("GET", &format!("/{id}"), None, None)?;
                    let said = change.as_object().into_iter().flatten();
                    if said.clone().all(|(name, value)| now.body[name] == *value) {
                        return Ok(now.etag);
                    }
                    if now.body["status"] != "Running" || now.body["holder"] != *self.name {
                        return Ok(None);
                    }
                    etag = now.etag;
                }
                404 | 409 => return Ok(None),
                status => return Err(format!("{status}: {}", answer.body).into()),
            }
        }
        Err("the operation changes faster than it can be reported".into())
    }

    /// Sends a request until it is answered: all of this worker's requests may be repeated.
    fn send(&self, method: &str, below: &str, etag: Option<&str>, body: Option<&Value>) -> Result<Answer> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.once(method, below, etag, body) {
                Ok(answer) if ![429, 503].contains(&answer.status) || tried == TRIES => return Ok(answer),
                Err(error) if tried == TRIES => return Err(error),
                _ => std::thread::sleep(Duration::from_millis(50 << tried)),
            }
        }
    }

    fn once(&self, method: &str, below: &str, etag: Option<&str>, body: Option<&Value>) -> Result<Answer> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{below}", self.set));
        request = request.header("Content-Type", "application/json");
        if let Some(etag) = etag {
            request = request.header("If-Match", etag);
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response: Response<ureq::Body> = match body {
            Some(body) => self.agent.run(request.body(body.to_string())?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(Into::into);
        let body = response.body_mut().read_json().unwrap_or(Value::Null);
        Ok(Answer { status: response.status().as_u16(), etag, body })
    }
}
