//! `[server]`, `[admin]`, `[identity]`: what no single room owns.

use super::Section;
use crate::config::IdentityMode;
use crate::config::shape::{Address, AddressOrOff, Name, Word};

pub(super) fn sections() -> Vec<Section> {
    let mode = Word {
        what: "mode",
        words: vec![("dev", IdentityMode::Dev)],
    };
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
        Section::new(
            "admin",
            "The operators' listener. It asks nobody who they are.",
        )
        .key(
            "listen",
            AddressOrOff,
            |d| &mut d.rooms.admin,
            "The address for operators and metrics; keep it where only they can reach it.",
        ),
        Section::new("identity", "How users prove who they are.").key(
            "mode",
            mode,
            |d| &mut d.rooms.identity,
            "`dev` believes the name that a client gives, so it needs a loopback `server.listen`.",
        ),
    ]
}
