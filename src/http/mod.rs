//! The faces over HTTP (feature `http`): thin, they parse, call the [`Tracker`](crate::Tracker) and render.
//!
//! [`graph`] speaks as Microsoft Graph's clients do, [`azure`] as a status monitor for Azure's pollers,
//! [`google`] as `google.longrunning`: three projections of the same records, each a router that any axum
//! app merges. [`serve`] is an accept loop with limits. Who may use a face is an argument that cannot be
//! left out: [`Access`].

mod access;
mod azure;
mod counters;
mod entity;
mod events;
mod expression;
mod face;
mod fault;
mod filter;
mod google;
mod graph;
mod guard;
mod head;
mod media;
mod metadata;
mod nowhere;
mod openapi;
mod options;
mod page;
mod percent;
mod prefer;
mod projection;
mod route;
mod schemas;
mod serve;
mod set;
mod slots;

pub use self::access::{Access, Action, Asked, Authorize, Decision, Kind, Permission, Principal};
pub use self::azure::{Azure, accepted, azure};
pub use self::counters::{Counters, counters};
pub use self::google::{Google, google};
pub use self::graph::{Graph, graph};
pub use self::nowhere::nowhere;
pub use self::page::{Page, page};
pub use self::route::Route;
pub use self::serve::{Limits, Serve, serve};
pub use crate::wire::{ONENOTE_OPERATION, OPERATION};
