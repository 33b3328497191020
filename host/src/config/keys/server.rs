//! `[server]`, `[admin]`: what no single room owns.

use super::Section;
use crate::config::shape::{Address, AddressOrOff, Credential, Name};

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
             `/healthz` and `/readyz`; empty to ask nobody who they are. Commands take it from \
             `WASTEGATE_ADMIN__TOKEN`.",
            ),
    ]
}
