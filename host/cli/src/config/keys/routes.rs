//! `[[gateway.route]]`: routes with backends and settings of their own.

use super::{GIB, Section};
use crate::config::draft::Draft;
use crate::config::shape::edge::upstreams;
use crate::config::shape::route::{host_or_none, path};
use crate::config::shape::{Switch, bytes, count, inherited};
use wastegate::gateway::route;

/// The path of the list.
pub(super) const PATH: &str = "gateway.route";

const DOC: &str = "A route: its own backends for a path and all beneath it, at every host or at one. A \
     named host counts before none, and then the longest path. What no route takes goes to \
     `gateway.upstream`, and where there is none it is answered 404. Only a file can have routes.";

/// The keys of one of them.
pub(super) fn section(at: usize) -> Section {
    section! {
        |d| format!("{PATH}[{at}]"),
        DOC;

        /// The beginning of the paths that the route serves, by whole segments: `/chat` covers
        /// `/chat` and `/chat/7`, not `/chatter`.
        live path: path() => route(d, at).path;

        /// The host that the route serves, as requests name it; empty for every host.
        live host: host_or_none() => route(d, at).host;

        /// Its backends; at least one. The keys of `[gateway]` that begin with `upstream_` apply to
        /// them too.
        live upstream: upstreams() => route(d, at).upstream;

        /// Whether `path` is removed from the path that backends see: `/chat/7` becomes `/7`.
        live strip_prefix: Switch => route(d, at).strip_prefix;

        /// Managers that one user may hold on this route, counted apart from all others; records
        /// and the operators' API call such a user `USER@@ROUTE`. `inherit` counts them with the
        /// others, by `limits.managers_per_user`.
        live managers_per_user: inherited(count(1, 1_000_000)) => route(d, at).managers_per_user;

        /// How users prove who they are on this route; the other settings of `[identity]` apply.
        live identity: inherited(super::identity::mode()) => route(d, at).identity;

        /// The largest frame that a client may send on this route, its payload.
        live frame_bytes_max: inherited(bytes(125, GIB)) => route(d, at).frame_bytes_max;

        /// The largest message that a client may send on this route, its payload.
        live message_bytes_max: inherited(bytes(125, GIB)) => route(d, at).message_bytes_max;
    }
}

fn route(draft: &mut Draft, at: usize) -> &mut route::Config {
    draft.routes.entry(at).or_default()
}
