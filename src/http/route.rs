//! What addresses name and which methods they allow: the one table that routing, `Allow`, permissions,
//! `OpenAPI` and the tests of access read.

use axum::http::Method;

use super::access::Action;

/// What an address below a mount names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Service,
    Metadata,
    OpenApi,
    Set,
    Count,
    SetEvents,
    Entity,
    EntityEvents,
    Cancel,
    Start,
    Counters,
}

/// A place and, where it is of one operation, the id in the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) id: Option<String>,
}

impl Found {
    pub(super) fn at(place: Place) -> Self {
        Self { place, id: None }
    }

    pub(super) fn of(place: Place, id: impl Into<String>) -> Self {
        Self { place, id: Some(id.into()) }
    }
}

/// The methods of a place in one face, each with what it does. `GET` stands for `HEAD` too.
pub(super) type Methods = &'static [(&'static str, Action)];

/// A route of a face.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The address, with `{id}` for the operation's id.
    pub path: String,
    /// What it does.
    pub action: Action,
}

/// The routes of places that have templates.
pub(super) fn table<'a>(places: impl IntoIterator<Item = (String, Methods)> + 'a) -> Vec<Route> {
    let of = |(path, methods): (String, Methods)| {
        let gets = methods.iter().any(|(method, _)| *method == "GET");
        let head =
            methods.iter().filter(move |(method, _)| gets && *method == "GET").map(|(_, action)| ("HEAD", *action));
        let all = methods.iter().copied().chain(head).chain([("OPTIONS", Action::Describe)]);
        all.map(move |(method, action)| Route { method, path: path.clone(), action }).collect::<Vec<_>>()
    };
    places.into_iter().flat_map(of).collect()
}

/// What a method does at a place; `None` if it is not allowed.
pub(super) fn action(methods: Methods, method: &Method) -> Option<Action> {
    let name = match method.as_str() {
        "HEAD" => "GET",
        "OPTIONS" => return Some(Action::Describe),
        name => name,
    };
    methods.iter().find(|(allowed, _)| *allowed == name).map(|(_, action)| *action)
}

/// The `Allow` of a place.
pub(super) fn allow(methods: Methods) -> String {
    let mut names = Vec::new();
    for (name, _) in methods {
        names.push(*name);
        if *name == "GET" {
            names.push("HEAD");
        }
    }
    names.push("OPTIONS");
    names.join(", ")
}
