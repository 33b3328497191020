//! `[gateway]`: HTTP in, upgraded socket out.

use super::{HOUR, KIB, MIB, MINUTE, Section};
use crate::config::shape::{OptionalUpstream, Route, Word, bytes, count, millis};
use crate::gateway::RefusalStyle;

pub(super) fn sections() -> Vec<Section> {
    let refusal = vec![("http", RefusalStyle::Http), ("close", RefusalStyle::Close)];
    vec![
        Section::new("gateway", "What the public listener takes.")
            .key(
                "path",
                Route,
                |d| &mut d.rooms.gateway.path,
                "The path that upgrades.",
            )
            .key(
                "header_timeout_ms",
                millis(10, MINUTE),
                |d| &mut d.rooms.gateway.header_timeout,
                "How long a client has to send its request head.",
            )
            .key(
                "header_bytes_max",
                bytes(8 * KIB, MIB),
                |d| &mut d.rooms.gateway.header_bytes_max,
                "The largest request head.",
            )
            .key(
                "headers_max",
                count(16, 1_000),
                |d| &mut d.rooms.gateway.headers_max,
                "Headers in a request.",
            )
            .key(
                "refusal",
                Word {
                    what: "style",
                    words: refusal,
                },
                |d| &mut d.rooms.gateway.refusal,
                "How a refusal reaches the client: `http` answers 429 or 503, `close` upgrades and \
                 then closes with a code that scripts can read.",
            )
            .key(
                "upstream",
                OptionalUpstream,
                |d| &mut d.rooms.gateway.upstream,
                "The WebSocket server that every connection is handed on to. Without one, a small \
                 built-in application answers. With one, managers end with their last connection: \
                 `manager.reconnect_grace_ms` does not apply.",
            )
            .key(
                "upstream_timeout_ms",
                millis(10, MINUTE),
                |d| &mut d.rooms.gateway.upstream_timeout,
                "How long that server has to take a connection and to answer its upgrade.",
            )
            .key(
                "drain_ms",
                millis(0, HOUR),
                |d| &mut d.rooms.gateway.drain,
                "How long connections have to end after the server was told to stop.",
            ),
    ]
}
