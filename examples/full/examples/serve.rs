//! Operations over HTTP, with an export that takes its time.
//!
//! ```text
//! $ cargo run -p longrun-examples --example serve -- --data /tmp/jobs --open
//! listening on http://127.0.0.1:8080
//! $ curl -si localhost:8080/v1.0/exports -H 'Content-Type: application/json' -d '{"seconds": 2, "fail": false}'
//! HTTP/1.1 202 Accepted
//! operation-location: http://localhost:8080/azure/operations/01a0b1c2-..
//! $ curl -s localhost:8080/v1.0/operations
//! ```
//!
//! With `--postgres URL` instead of `--data DIR` many of them serve the same operations. SIGTERM or Ctrl-C:
//! what runs has ten seconds to end, then the counts are printed; in a database, those of all who share it.

#![expect(clippy::print_stdout, reason = "an example talks to people")]
#![expect(clippy::disallowed_methods, reason = "an example is the host: it spawns what the library does not")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use longrun::http::{self, Access, Action, Permission, Principal};
use longrun::store::{PostgresOptions, PostgresStore};
use longrun::{NewOperation, Status, Tracker};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;

const USAGE: &str =
    "serve [--addr ADDRESS] (--data DIR | --postgres URL) (--open | --token READ|REPORT|MANAGE:TEXT ..)";
const MONTH: Duration = Duration::from_hours(30 * 24);

struct Arguments {
    address: String,
    store: Place,
    access: Access,
}

/// Where the operations are kept.
enum Place {
    Folder(String),
    Database(String),
}

impl Arguments {
    fn read(mut given: impl Iterator<Item = String>) -> Option<Self> {
        let (mut address, mut store, mut access) = ("127.0.0.1:8080".to_owned(), None, None);
        while let Some(name) = given.next() {
            match &*name {
                "--addr" => address = given.next()?,
                "--data" => store = Some(Place::Folder(given.next()?)),
                "--postgres" => store = Some(Place::Database(given.next()?)),
                "--open" => access = Some(Access::open()),
                "--token" => {
                    let given = given.next()?;
                    let (permission, token) = given.split_once(':').filter(|(_, token)| !token.is_empty())?;
                    let principal = Principal::new(permission.to_ascii_lowercase(), permission_of(permission)?);
                    access = Some(access.unwrap_or_else(Access::bearer).token(token, principal));
                }
                _ => return None,
            }
        }
        Some(Self { address, store: store?, access: access? })
    }
}

fn permission_of(name: &str) -> Option<Permission> {
    match &*name.to_ascii_uppercase() {
        "READ" => Some(Permission::Read),
        "REPORT" => Some(Permission::Report),
        "MANAGE" => Some(Permission::Manage),
        _ => None,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(Arguments { address, store, access }) = Arguments::read(std::env::args().skip(1)) else {
        return Err(USAGE.into());
    };
    // Renders what the library tells the `metrics` facade; its own listener stays off.
    let recorder = PrometheusBuilder::new().install_recorder()?;
    let builder = Tracker::builder().metered_types(["export"]).retention(None, Status::Completed, MONTH).retention(
        None,
        Status::Failed,
        MONTH,
    );
    let tracker = match &store {
        Place::Folder(folder) => builder.open(folder).await?,
        Place::Database(url) => {
            let store = PostgresStore::connect(PgPoolOptions::new().connect(url).await?).await?;
            builder.open_store(Arc::new(store)).await?
        }
    };
    tokio::spawn(tracker.maintain());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    http::serve(listener, app(&tracker, &access, recorder)).until(end()).await?;
    // What runs has ten seconds to end.
    tracker.close(Duration::from_secs(10)).await?;
    // Opened anew, to look only. In a database the counts are of all who share it, and theirs go on.
    let closed = match store {
        Place::Folder(folder) => Tracker::builder().inspect().open(folder).await?,
        Place::Database(url) => {
            let pool = PgPoolOptions::new().connect(&url).await?;
            let store = PostgresStore::connect_with(pool, PostgresOptions::default().inspect()).await?;
            Tracker::builder().inspect().open_store(Arc::new(store)).await?
        }
    };
    let counts = closed.counts().await?;
    let [waiting, running, completed, failed] = Status::ALL.map(|status| counts.of(status));
    println!("{completed} completed, {failed} failed, {running} running, {waiting} not started");
    Ok(())
}

fn app(tracker: &Tracker, access: &Access, recorder: PrometheusHandle) -> Router {
    let onenote =
        |path| http::graph(tracker.clone(), access.clone()).path(path).declared_type(http::ONENOTE_OPERATION);
    let exports = post(export).with_state((tracker.clone(), access.clone()));
    Router::new()
        .merge(http::graph(tracker.clone(), access.clone()).path("/v1.0/operations"))
        .merge(onenote("/v1.0/me/onenote/operations"))
        .merge(onenote("/v1.0/users/{user}/onenote/operations"))
        .merge(onenote("/v1.0/groups/{id}/onenote/operations"))
        .merge(onenote("/v1.0/sites/{id}/onenote/operations"))
        .merge(http::page("/v1.0/operations"))
        .merge(http::azure(tracker.clone(), access.clone()).path("/azure/operations"))
        .merge(http::google(tracker.clone(), access.clone()).path("/v1/longrun/operations"))
        .merge(http::counters(tracker.clone(), access.clone()).also(move || recorder.render()))
        .route("/v1.0/exports", exports)
        .fallback_service(http::nowhere(tracker.clone(), access.clone()))
}

/// What an export is asked to do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    seconds: u64,
    #[serde(default)]
    fail: bool,
}

/// Starts an export and answers where to ask how it goes.
async fn export(
    State((tracker, access)): State<(Tracker, Access)>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    access.admit(Action::Create, &method, &headers).await.map_err(|refusal| *refusal)?;
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
    }
    let wanted: Export = serde_json::from_slice(&body).map_err(|error| refuse(StatusCode::BAD_REQUEST, &error))?;
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let created = tracker.create(NewOperation::new("export")).await;
    let id = created.map_err(|error| refuse(StatusCode::SERVICE_UNAVAILABLE, &error))?.id().clone();
    let monitor = format!("http://{host}/azure/operations/{id}");
    tokio::spawn(async move {
        // What became of it is recorded; nobody waits for this answer.
        drop(
            tracker
                .run(&id, async move |run| {
                    for done in 0..wanted.seconds {
                        run.progress(percent(done, wanted.seconds));
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    if wanted.fail { Err("it was asked to fail") } else { Ok(wanted.seconds) }
                })
                .await,
        );
    });
    Ok(http::accepted(monitor))
}

fn percent(done: u64, of: u64) -> u8 {
    u8::try_from(done * 100 / of.max(1)).unwrap_or(100)
}

fn refuse(status: StatusCode, error: &dyn Error) -> Response {
    let body = serde_json::json!({ "error": { "code": longrun::wire::phrase(status.as_u16()), "message": error.to_string() } });
    (status, axum::Json(body)).into_response()
}

/// Ctrl-C or SIGTERM.
async fn end() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! { _ = interrupted => {}, _ = terminated.recv() => {} }
        }
        Err(_) => drop(interrupted.await),
    }
}
