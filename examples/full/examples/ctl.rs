//! Looks into what another process tracks, and asks it to end something.
//!
//! ```text
//! $ cargo run -p longrun-examples --example ctl -- 127.0.0.1:8080 list --status Running
//! ID        TYPE    STATUS   DONE  AGE     LABELS      REASON
//! export-1  export  Running  40 %  12 min  order=1742
//! $ cargo run -p longrun-examples --example ctl -- --data jobs counts   # a folder that nobody has open
//! ```
//!
//! `list [--status S] [--type T] [--label K=V] [--limit N]`, `get ID`, `watch [ID]`, `cancel ID`,
//! `wait ID [--for SECONDS]`, `counts`; with `--json` for scripts. Exit status: 0, but for `get` and `wait` 1
//! when the operation failed and 3 when it has not ended; 2 for what went wrong.

#![expect(clippy::print_stdout, reason = "an example talks to people")]

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use longrun::wire::{self, Entity};
use longrun::{OperationId, Status, Tracker};
use longrun_examples::{Event, Failed, Remote, Seen, counts_table, table};
use serde_json::{Value, json};

const USAGE: &str = "ctl (ADDRESS [--token TEXT] | --data DIR) list|get|watch|cancel|wait|counts [ID] [--status S] \
                     [--type T] [--label K=V] [--limit N] [--for SECONDS] [--json]";

#[derive(Default)]
struct Asked {
    words: Vec<String>,
    data: Option<String>,
    token: Option<String>,
    status: Option<Status>,
    type_name: Option<String>,
    label: Option<(String, String)>,
    limit: Option<u32>,
    bound: Option<u64>,
    json: bool,
}

impl Asked {
    fn read(mut given: impl Iterator<Item = String>) -> Result<Self, Failed> {
        let mut asked = Self::default();
        while let Some(word) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("{word} needs a value"));
            match &*word {
                "--json" => asked.json = true,
                "--data" => asked.data = Some(value()?),
                "--token" => asked.token = Some(value()?),
                "--status" => {
                    asked.status = Some(value()?.parse().map_err(|error| format!("--status: {error}"))?);
                }
                "--type" => asked.type_name = Some(value()?),
                "--label" => {
                    let text = value()?;
                    let (key, of) = text.split_once('=').ok_or("--label must be KEY=VALUE")?;
                    asked.label = Some((key.to_owned(), of.to_owned()));
                }
                "--limit" => asked.limit = Some(value()?.parse().map_err(|error| format!("--limit: {error}"))?),
                "--for" => asked.bound = Some(value()?.parse().map_err(|error| format!("--for: {error}"))?),
                option if option.starts_with("--") => return Err(format!("no option {option}; {USAGE}").into()),
                _ => asked.words.push(word),
            }
        }
        Ok(asked)
    }
}

fn main() -> ExitCode {
    let outcome = Asked::read(std::env::args().skip(1)).and_then(|asked| match &asked.data {
        Some(folder) => look_into(folder, &asked),
        None => ask(&asked),
    });
    outcome.unwrap_or_else(|error| {
        let causes = std::iter::successors(error.source(), |error| error.source());
        let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        // Nobody is left to tell if this cannot be written either.
        drop(writeln!(io::stderr(), "ctl: {text}"));
        ExitCode::from(2)
    })
}

/// A process that serves.
fn ask(asked: &Asked) -> Result<ExitCode, Failed> {
    let (address, words) = asked.words.split_first().ok_or(USAGE)?;
    let remote = Remote::new(address, asked.token.clone());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        ["list"] => {
            let limit = asked.limit.unwrap_or(100);
            let top = limit.min(1_000);
            let query = format!("$top={top}&$orderby=createdDateTime%20desc{}", filter(asked));
            list(&remote.list(&query, limit.try_into()?)?, asked)
        }
        ["counts"] => {
            counts(&remote.counts()?, asked);
            Ok(ExitCode::SUCCESS)
        }
        ["get", id] => one(&remote.get(id)?, asked),
        ["cancel", id] => {
            remote.cancel(id)?;
            // It was asked to end. Its process may have ended with it, and can tell no more.
            if let Ok(now) = remote.get(id) {
                one(&now, asked)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        ["wait", id] => one(&remote.wait(id, Duration::from_secs(asked.bound.unwrap_or(u32::MAX.into())))?, asked),
        ["watch"] => watch(&remote, None, asked),
        ["watch", id] => watch(&remote, Some(id), asked),
        _ => Err(USAGE.into()),
    }
}

/// A folder that no process has open; nothing in it changes.
fn look_into(folder: &str, asked: &Asked) -> Result<ExitCode, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let tracker = Tracker::builder().inspect().open(folder).await?;
        let words: Vec<&str> = asked.words.iter().map(String::as_str).collect();
        let code = match *words {
            ["list"] => {
                let limit = asked.limit.unwrap_or(100);
                let mut list = tracker.list().newest_first().limit(limit.min(1_000));
                if let Some(status) = asked.status {
                    list = list.status(status);
                }
                if let Some(name) = &asked.type_name {
                    list = list.type_name(name);
                }
                if let Some((key, value)) = &asked.label {
                    list = list.label(key, value);
                }
                let page = list.await?;
                let found = page.items.iter().map(json_of).collect::<Result<Vec<_>, _>>()?;
                list_orphans(&tracker);
                self::list(&found, asked)?
            }
            ["counts"] => {
                counts(&tracker.counts().await?, asked);
                list_orphans(&tracker);
                ExitCode::SUCCESS
            }
            ["get", id] => one(&json_of(&tracker.get(&id.parse::<OperationId>()?).await?)?, asked)?,
            [_, ..] => return Err("a folder that nobody has open can be asked for list, get and counts".into()),
            [] => return Err(USAGE.into()),
        };
        tracker.close(Duration::ZERO).await?;
        Ok(code)
    })
}

fn list_orphans(tracker: &Tracker) {
    let count = tracker.recovery().len();
    if count > 0 {
        // Nobody is left to tell if this cannot be written either.
        drop(writeln!(io::stderr(), "{count} of a process that is gone: the next open ends them as orphaned"));
    }
}

fn json_of(operation: &longrun::Operation) -> Result<Value, Failed> {
    Ok(serde_json::from_str(&wire::to_json(&Entity::new(operation)))?)
}

/// OData's words for what is asked for, percent-encoded.
fn filter(asked: &Asked) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let status = asked.status.map(|status| format!("status eq '{status}'"));
    let type_name = asked.type_name.as_ref().map(|name| format!("type eq {}", quoted(name)));
    let label = asked.label.as_ref().map(|(key, value)| format!("labels/{key} eq {}", quoted(value)));
    let all: Vec<_> = [status, type_name, label].into_iter().flatten().collect();
    if all.is_empty() {
        String::new()
    } else {
        format!("&$filter={}", longrun_examples::encode(&all.join(" and ")))
    }
}

#[expect(clippy::disallowed_methods, reason = "ages are shown by this machine's clock")]
#[expect(clippy::unnecessary_wraps, reason = "answers as the other commands do")]
fn list(found: &[Value], asked: &Asked) -> Result<ExitCode, Failed> {
    if asked.json {
        for json in found {
            println!("{json}");
        }
    } else {
        print!(
            "{}",
            table(&found.iter().filter_map(Seen::read).collect::<Vec<_>>(), chrono::Utc::now().fixed_offset())
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn counts(counts: &longrun::store::Counts, asked: &Asked) {
    if asked.json {
        for (type_name, status, count) in counts.iter() {
            println!("{}", json!({ "type": type_name, "status": status.as_str(), "count": count }));
        }
    } else {
        print!("{}", counts_table(counts));
    }
}

/// One operation, and an exit status that scripts can ask.
fn one(json: &Value, asked: &Asked) -> Result<ExitCode, Failed> {
    let seen = Seen::read(json).ok_or("the answer is no operation")?;
    if asked.json {
        println!("{json}");
    } else {
        for (name, value) in json.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with('@')) {
            let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
            println!("{name:30} {}", text.replace(char::is_control, " "));
        }
    }
    Ok(match seen.status {
        Status::Completed => ExitCode::SUCCESS,
        Status::Failed => ExitCode::from(1),
        Status::NotStarted | Status::Running => ExitCode::from(3),
    })
}

/// Each change as it comes, a line each; of one operation until its end.
fn watch(remote: &Remote, id: Option<&str>, asked: &Asked) -> Result<ExitCode, Failed> {
    let each = |event| {
        let written = match event {
            Event::Updated(json) if asked.json => writeln!(io::stdout(), "{json}"),
            Event::Deleted(id) if asked.json => writeln!(io::stdout(), "{}", json!({ "id": id, "deleted": true })),
            Event::Updated(json) => match Seen::read(&json) {
                Some(seen) => writeln!(io::stdout(), "{}", line(&seen)),
                None => Ok(()),
            },
            Event::Deleted(id) => writeln!(io::stdout(), "{id} deleted"),
            _ => Ok(()),
        };
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    remote.events(id, || Ok(()), each)?;
    Ok(ExitCode::SUCCESS)
}

fn line(seen: &Seen) -> String {
    let percent = seen.percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
    let reason = seen.failure.as_ref().map(|(code, message)| format!(" {code}: {message}")).unwrap_or_default();
    format!("{} {}{percent}{reason}", seen.id, seen.status).replace(char::is_control, " ")
}
