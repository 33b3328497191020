//! `[server]`, `[admin]`: what no single room owns.

use super::{DAY, HOUR, SECOND, Section};
use crate::config::shape::edge::hosts;
use crate::config::shape::{
    Address, AddressOrOff, Credential, Name, OptionalPath, Switch, count, millis,
};

pub(super) fn sections() -> Vec<Section> {
    vec![
        section! {
            |d| "server", "The public listener.";

            /// The address for clients. Port 0 lets the system choose.
            restart listen: Address => d.rooms.server.listen;

            /// This node's name in records and log lines.
            restart node: Name => d.rooms.server.node;
        },
        section! {
            |d| "admin", "The operators' listener.";

            /// The address for operators and metrics. Beyond this machine it needs a token.
            restart listen: AddressOrOff => d.rooms.admin;

            /// What operators must send as `Authorization: Bearer TOKEN`, except to `/healthz` and
            /// `/readyz`. If it is empty and `policy.rollout.state_dir` is set, the token is in
            /// that folder's file `admin.token`, which is made at the first start; without the
            /// folder, no token is needed. "none" means that no token is needed. Commands find the
            /// token if they get the same configuration.
            restart token: Credential => d.rooms.admin_token;

            /// A file of more tokens, one a line as `NAME ROLE TOKEN`. `ROLE` is `read` (look, and
            /// change nothing) or `operate`; `NAME` stands in the audit log. Only the file's owner
            /// may have access to it. With a file, every request needs a token, unless `token` is
            /// "none".
            restart tokens_file: OptionalPath => d.rooms.operators.tokens_file;

            /// Host names that operators may use, besides `localhost` and the listener's address. A
            /// request for another host is answered 403, so that no web page can direct its own
            /// host name to this listener. `/healthz`, `/readyz` and `/metrics` answer for every
            /// host.
            restart hosts: hosts() => d.rooms.operators.hosts;

            /// Whether `/metrics` needs no token while the rest does. Metrics name no users.
            restart metrics_without_token: Switch => d.rooms.operators.metrics_without_token;

            /// Connections at once. When they are used up, a new one replaces one that has sent no
            /// request, else one without the token, else an idle one.
            restart connections_max: count(1, 65_536) => d.rooms.operators.connections_max;

            /// Additional connections that answer only `/healthz` and `/readyz`, for when all
            /// others have requests in progress. When they are used up, a new one replaces the
            /// oldest of them.
            restart probes_reserved: count(1, 1_024) => d.rooms.operators.probes_reserved;

            /// How long a connection may last without showing the token or, where none is needed,
            /// without sending a request. Then it is closed.
            restart stranger_lifetime_ms: millis(100, HOUR) => d.rooms.operators.stranger_lifetime;

            /// How long an operator's connection may stay idle between two requests, or take
            /// nothing of an answer. Then it is closed.
            restart idle_max_ms: millis(100, DAY) => d.rooms.operators.idle_max;

            /// How long an operator's request may take until it is answered, including the upload
            /// of its file. Then its connection is closed.
            restart request_max_ms: millis(SECOND, DAY) => d.rooms.operators.request_max;
        },
    ]
}
