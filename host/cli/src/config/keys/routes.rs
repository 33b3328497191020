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
    Section::new(format!("{PATH}[{at}]"), DOC)
        .key(
            "path",
            path(),
            move |d| &mut route(d, at).path,
            "The beginning of the paths that it serves, by whole segments: `/chat` covers `/chat` and \
             `/chat/7`, not `/chatter`.",
        )
        .key(
            "host",
            host_or_none(),
            move |d| &mut route(d, at).host,
            "The host that it serves, as requests name it; empty for every host.",
        )
        .key(
            "upstream",
            upstreams(),
            move |d| &mut route(d, at).upstream,
            "Its servers; at least one. `upstream_balance` and the other keys of that beginning hold \
             for them too.",
        )
        .key(
            "strip_prefix",
            Switch,
            move |d| &mut route(d, at).strip_prefix,
            "Whether `path` is cut from what the servers see: `/chat/7` becomes `/7`.",
        )
        .key(
            "managers_per_user",
            inherited(count(1, 1_000_000)),
            move |d| &mut route(d, at).managers_per_user,
            "Managers that one user may hold here, counted apart from all others: such a user is \
             called `USER@@ROUTE` in records and by operators. `inherit` counts them with the others, \
             by `limits.managers_per_user`.",
        )
        .key(
            "identity",
            inherited(super::identity::mode()),
            move |d| &mut route(d, at).identity,
            "How users prove who they are here, with the other settings of `[identity]`.",
        )
        .key(
            "frame_bytes_max",
            inherited(bytes(125, GIB)),
            move |d| &mut route(d, at).frame_bytes_max,
            "The largest frame that a client may send here, its payload.",
        )
        .key(
            "message_bytes_max",
            inherited(bytes(125, GIB)),
            move |d| &mut route(d, at).message_bytes_max,
            "The largest message that a client may send here, its payload.",
        )
        .live_except(&[])
}

fn route(draft: &mut Draft, at: usize) -> &mut route::Config {
    draft.routes.entry(at).or_default()
}
