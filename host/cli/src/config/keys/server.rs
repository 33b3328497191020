//! `[server]`, `[admin]`: what no single room owns.

use super::{DAY, HOUR, SECOND, Section};
use crate::config::shape::edge::hosts;
use crate::config::shape::{Address, AddressOrOff, Credential, Name, Switch, count, millis};

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section::new("server", "The public listener.")
            .key(
                "listen",
                Address,
                |d| &mut d.rooms.server.listen,
                "The address for clients. Port 0 lets the system choose.",
            )
            .key(
                "node",
                Name,
                |d| &mut d.rooms.server.node,
                "This node's name in records and log lines.",
            ),
        Section::new("admin", "The operators' listener.")
            .key(
                "listen",
                AddressOrOff,
                |d| &mut d.rooms.admin,
                "The address for operators and metrics. Beyond this machine it needs a token.",
            )
            .secret(
                "token",
                Credential,
                |d| &mut d.rooms.admin_token,
                "What operators have to send as `Authorization: Bearer TOKEN`, to everything but \
             `/healthz` and `/readyz`. Empty: with `policy.rollout.state_dir` the token in its file \
             `admin.token`, which is made at the first start; without, nobody is asked. \"none\": nobody \
             is asked. Commands find the token where they get the same configuration.",
            )
            .key(
                "hosts",
                hosts(),
                |d| &mut d.rooms.operators.hosts,
                "Names by which operators may ask, besides `localhost` and the address that is listened \
             on. A request for another host is answered 403, so that no page can have a name of its own \
             point here; `/healthz`, `/readyz` and `/metrics` are answered for every host.",
            )
            .key(
                "metrics_without_token",
                Switch,
                |d| &mut d.rooms.operators.metrics_without_token,
                "Whether `/metrics` needs no token where the rest does. Metrics name no users.",
            )
            .key(
                "connections_max",
                count(1, 65_536),
                |d| &mut d.rooms.operators.connections_max,
                "Connections at once. Beyond it one that has never asked goes for the next, then one \
             without the token, then one that rests.",
            )
            .key(
                "probes_reserved",
                count(1, 1_024),
                |d| &mut d.rooms.operators.probes_reserved,
                "Connections beside them that are answered `/healthz` and `/readyz` only, where requests \
             are under way in all the others; beyond it the oldest of these goes.",
            )
            .key(
                "stranger_lifetime_ms",
                millis(100, HOUR),
                |d| &mut d.rooms.operators.stranger_lifetime,
                "How long a connection may last that has not shown the token or, where there is none, has \
             not asked for anything. Then it is closed.",
            )
            .key(
                "idle_max_ms",
                millis(100, DAY),
                |d| &mut d.rooms.operators.idle_max,
                "How long an operator's connection may rest between two requests, or take nothing of an \
             answer. Then it is closed.",
            )
            .key(
                "request_max_ms",
                millis(SECOND, DAY),
                |d| &mut d.rooms.operators.request_max,
                "How long an operator's request may take until it is answered, the file that it brings \
             included. Then its connection is closed.",
            ),
    ]
}
