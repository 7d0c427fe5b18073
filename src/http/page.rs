//! A page for people: three static files that ask the other faces from the browser.
//!
//! They hold nothing that is secret and are given to everybody; what the page shows it asks for with the
//! token that its reader enters. What it shows is text (FAULTS 28): the policy allows no script but its own.

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use axum::routing::get;

use super::projection;

const HTML: &str = include_str!("page/page.html");
const CSS: &str = include_str!("page/page.css");
const JS: &str = include_str!("page/page.js");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'",
);

/// A page that shows what is tracked.
#[derive(Debug)]
#[must_use = "a page serves once it is merged into a router"]
pub struct Page {
    root: String,
    set: String,
    counters: String,
}

/// A page at `/` for the set that [`graph`](super::graph) serves at this path, and for the
/// [`counters`](super::counters) at `/metrics`.
pub fn page(set: impl AsRef<str>) -> Page {
    Page { root: String::new(), set: projection::root(set.as_ref()), counters: "/metrics".to_owned() }
}

impl Page {
    /// Where the page itself is.
    pub fn path(mut self, path: impl AsRef<str>) -> Self {
        self.root = projection::root(path.as_ref());
        self
    }

    /// Where the counters are.
    pub fn counters(mut self, path: impl AsRef<str>) -> Self {
        self.counters = projection::root(path.as_ref());
        self
    }

    /// The router.
    pub fn router(self) -> Router {
        let html = HTML
            .replace("{root}", &escaped(&self.root))
            .replace("{set}", &escaped(&self.set))
            .replace("{counters}", &escaped(&self.counters));
        let files = [
            ("", html, "text/html"),
            ("/page.css", CSS.to_owned(), "text/css"),
            ("/page.js", JS.to_owned(), "text/javascript"),
        ];
        files.into_iter().fold(Router::new(), |router, (name, text, media_type)| {
            let path = match (&*self.root, name) {
                ("", "") => "/".to_owned(),
                (root, name) => format!("{root}{name}"),
            };
            router.route(&path, get(move || std::future::ready(answer(text.clone(), media_type))))
        })
    }
}

impl From<Page> for Router {
    fn from(page: Page) -> Self {
        page.router()
    }
}

fn answer(text: String, media_type: &str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    if let Ok(media_type) = HeaderValue::from_str(&format!("{media_type}; charset=utf-8")) {
        headers.insert(CONTENT_TYPE, media_type);
    }
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    response
}

/// A path as the value of an attribute.
fn escaped(path: &str) -> String {
    path.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}
