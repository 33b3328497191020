//! `[gateway]`: HTTP in, upgraded socket out.

use super::{DAY, GIB, HOUR, KIB, MANY, MIB, MINUTE, SECOND, Section};
use crate::config::shape::edge::{Statuses, networks, origins, upstreams};
use crate::config::shape::route::path;
use crate::config::shape::{OptionalPath, Switch, Word, auto, bytes, count, millis};
use wastegate::gateway::http::Style;
use wastegate::gateway::origin::MissingOrigin;
use wastegate::gateway::upstream::{Balance, UpstreamHost};
use wastegate::gateway::{RefusalStyle, WithoutBackend};

pub(super) fn sections() -> Vec<Section> {
    let refusal = vec![("http", RefusalStyle::Http), ("close", RefusalStyle::Close)];
    let balance = Word {
        what: "balance",
        words: vec![
            ("least-connections", Balance::LeastConnections),
            ("by-key", Balance::ByKey),
            ("by-address", Balance::ByAddress),
        ],
    };
    let without_backend = Word {
        what: "word",
        words: vec![
            ("fail", WithoutBackend::Fail),
            ("pass", WithoutBackend::Pass),
        ],
    };
    vec![
        Section::new("gateway", "What the public listener takes.")
            .key(
                "path",
                auto(path()),
                |d| &mut d.rooms.gateway.path,
                "The path that is served: of the built-in application this one, in front of servers it \
                 and everything beneath it. `auto` is `/ws` for the application and every path in \
                 front of servers.",
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
                "origins",
                origins(),
                |d| &mut d.rooms.gateway.origins,
                "Origins whose pages may connect besides the gateway's own. Scheme, host and port \
                 are compared. Where the list is empty, clients with a token that no foreign page can \
                 have may come from anywhere; `*` lets in every page and every client.",
            )
            .key(
                "origin_missing",
                Word {
                    what: "answer",
                    words: vec![
                        ("refuse-with-cookie", MissingOrigin::RefuseWithCookie),
                        ("allow", MissingOrigin::Allow),
                    ],
                },
                |d| &mut d.rooms.gateway.origin_missing,
                "What a request is answered that has a cookie and no `Origin`. Browsers always send \
                 one, native clients do not: `allow` lets those in, and trusts that no browser or proxy \
                 of your users leaves it out.",
            )
            .key(
                "trusted_proxies",
                networks(),
                |d| &mut d.rooms.gateway.trusted_proxies,
                "Proxies in front: believed in `X-Forwarded-For`, `-Proto`, `-Host`, `Forwarded` and \
                 PROXY headers, and not counted as one client.",
            )
            .key(
                "proxy_protocol",
                Switch,
                |d| &mut d.rooms.gateway.proxy_protocol,
                "Whether trusted proxies begin every connection with a PROXY header (version 2).",
            )
            .key(
                "upstream",
                upstreams(),
                |d| &mut d.rooms.gateway.upstream,
                "The WebSocket servers that connections are handed on to. Without one, and without \
                 routes, a small built-in application answers. The path of one is that of its \
                 WebSockets, whatever path the client asks for; without a path the client's is kept. With one, `upstream_grace_ms` stands in for \
                 `manager.reconnect_grace_ms`.",
            )
            .key(
                "upstream_host",
                Word {
                    what: "host",
                    words: vec![
                        ("client", UpstreamHost::Client),
                        ("backend", UpstreamHost::Backend),
                    ],
                },
                |d| &mut d.rooms.gateway.upstream_host,
                "Which `Host` they are asked for: the client's, so that they can compare it with the \
                 origin of a page, or their own as it stands in `upstream`.",
            )
            .key(
                "http",
                Word {
                    what: "word",
                    words: vec![("pass", Style::Pass), ("refuse", Style::Refuse)],
                },
                |d| &mut d.rooms.gateway.http.style,
                "What happens to requests that are no upgrade, where there is a server: `pass` hands \
                 them on to it, `refuse` answers them with an error. They hold no manager and prove no \
                 identity here.",
            )
            .key(
                "http_head_timeout_ms",
                millis(10, DAY),
                |d| &mut d.rooms.gateway.http.head_timeout,
                "How long that server has to begin its answer to such a request; then it is answered \
                 504.",
            )
            .key(
                "http_idle_ms",
                millis(10, DAY),
                |d| &mut d.rooms.gateway.http.idle,
                "How long nothing may move of a body on its way, up or down; then it is cut off.",
            )
            .key(
                "http_requests_max",
                count(0, MANY),
                |d| &mut d.rooms.gateway.http.requests_max,
                "Such requests under way at once; one more is answered 503. 0 for no limit.",
            )
            .key(
                "http_requests_per_address_max",
                count(0, MANY),
                |d| &mut d.rooms.gateway.http.requests_per_address_max,
                "The same of one address; one more is answered 429. 0 for no limit.",
            )
            .key(
                "http_requests_per_s_max",
                count(0, MANY),
                |d| &mut d.rooms.gateway.http.requests_per_s_max,
                "Such requests a second, of all; five seconds' worth may come at once, one more is answered \
                 429. 0 for no limit.",
            )
            .key(
                "http_requests_per_address_per_s_max",
                count(0, MANY),
                |d| &mut d.rooms.gateway.http.requests_per_address_per_s_max,
                "The same of one address; behind `gateway.trusted_proxies`, of the client that they name. 0 \
                 for no limit.",
            )
            .key(
                "http_connections_max",
                count(0, MANY),
                |d| &mut d.rooms.gateway.http.connections_max,
                "Connections that bring such requests, at once; one more is answered 503. They take no \
                 place of `limits.connections_total`. Of the descriptors of the process they have a \
                 sixteenth at most. 0 for no limit but that.",
            )
            .key(
                "http_connections_per_address_max",
                count(0, MANY),
                |d| &mut d.rooms.gateway.http.connections_per_address_max,
                "The same of one address; one more is answered 429. Connections of \
                 `gateway.trusted_proxies` are not counted one by one. 0 for no limit.",
            )
            .key(
                "http_rest_ms",
                millis(10, MINUTE),
                |d| &mut d.rooms.gateway.http.rest,
                "How long such a connection may rest between two requests; no longer than \
                 `gateway.header_timeout_ms` in any case.",
            )
            .key(
                "upstream_grace_ms",
                millis(0, HOUR),
                |d| &mut d.rooms.gateway.upstream_grace,
                "How long the server's connection is kept for a client that was lost, so that it can \
                 go on; 0 for not at all. Not where compression was negotiated.",
            )
            .key(
                "upstream_held_bytes_max",
                bytes(KIB, GIB),
                |d| &mut d.rooms.gateway.upstream_held_bytes_max,
                "What the server may say meanwhile before it is given up.",
            )
            .key(
                "upstream_balance",
                balance,
                |d| &mut d.rooms.gateway.upstream_balance,
                "Which of several gets a connection: the one with the fewest, or always the same for \
                 a user's key or a client's address. `by-address` is for clients that begin with \
                 requests that are no upgrade, such as Socket.IO: those go by address in any case.",
            )
            .key(
                "upstream_check_ms",
                millis(0, HOUR),
                |d| &mut d.rooms.gateway.upstream_check,
                "Between two looks whether one that could not be reached takes connections again, and \
                 whether one that no client was sent to yet does; 0 to learn it from clients only. One \
                 that upgrades is left in peace.",
            )
            .key(
                "upstream_authorities",
                OptionalPath,
                |d| &mut d.rooms.gateway.upstream_authorities,
                "Certificate authorities of `wss://` servers, PEM; empty for those of the system.",
            )
            .key(
                "upstream_timeout_ms",
                millis(10, MINUTE),
                |d| &mut d.rooms.gateway.upstream_timeout,
                "How long those servers have to take a connection and to answer its upgrade, all that \
                 are tried for one client together. One that has said nothing in its share of it is \
                 not waited for alone: the next is asked beside it.",
            )
            .key(
                "upstream_unhealthy_statuses",
                Statuses,
                |d| &mut d.rooms.gateway.upstream_unhealthy_statuses,
                "Answers to an upgrade that say that a server is sick, as a refused connection or no \
                 answer does: it is left alone for a while, and the next is asked. Others are handed \
                 on to the client.",
            )
            .key(
                "readyz_without_backend",
                without_backend,
                |d| &mut d.rooms.gateway.readyz_without_backend,
                "What `/readyz` says while every server is away: `fail` is 503, `pass` is 200.",
            )
            .key(
                "drain_spread_ms",
                millis(0, HOUR),
                |d| &mut d.rooms.gateway.drain_spread,
                "Over which time clients are told to connect again when the server stops.",
            )
            .key(
                "drain_ms",
                millis(0, HOUR),
                |d| &mut d.rooms.gateway.drain,
                "How long connections have to end after that.",
            )
            .key(
                "drain_readyz_ms",
                millis(0, HOUR),
                |d| &mut d.rooms.gateway.drain_readyz,
                "How long `/readyz` answers 503 before the first of them is told, so that a balancer \
                 sends no more; new clients are let in meanwhile. Longer than the balancer takes to \
                 notice. Without connections the server stops at once.",
            )
            .live_except(&[
                "header_timeout_ms",
                "header_bytes_max",
                "headers_max",
                "http_connections_max",
                "upstream_grace_ms",
            ]),
        tls(),
        caps(),
        flap(),
    ]
}

fn tls() -> Section {
    Section::new(
        "gateway.tls",
        "TLS on the public listener. The files are read again when they change, and at SIGHUP.",
    )
    .key(
        "certificate",
        OptionalPath,
        |d| &mut d.rooms.gateway.tls.certificate,
        "The certificate and those that vouch for it, PEM; empty for plain text.",
    )
    .key(
        "key",
        OptionalPath,
        |d| &mut d.rooms.gateway.tls.key,
        "Its key, PEM.",
    )
    .key(
        "rescan_ms",
        millis(100, DAY),
        |d| &mut d.rooms.gateway.tls.rescan,
        "Between two looks whether they were replaced.",
    )
    .live_except(&["certificate", "key"])
}

fn caps() -> Section {
    Section::new(
        "gateway.caps",
        "Who may knock; 0 for no cap. An address is an IPv4 address or an IPv6 network of 64 bits. Sockets \
         of `gateway.trusted_proxies` are not counted one by one; their requests count as those of the \
         clients that they name.",
    )
    .key(
        "half_open_max",
        count(0, MANY),
        |d| &mut d.rooms.gateway.caps.half_open_max,
        "Handshakes that are not done, of all.",
    )
    .key(
        "half_open_per_address_max",
        count(0, MANY),
        |d| &mut d.rooms.gateway.caps.half_open_per_address_max,
        "The same of one address.",
    )
    .key(
        "half_open_lifetime_ms",
        millis(100, HOUR),
        |d| &mut d.rooms.gateway.caps.half_open_lifetime,
        "How long a connection may take, whatever it sends, until it is known who its client is or until \
         its first request is handed on; then it is cut off. It counts as a handshake that is not done for \
         as long.",
    )
    .key(
        "per_s_max",
        count(0, MANY),
        |d| &mut d.rooms.gateway.caps.per_s_max,
        "New connections a second, of all, and further requests of a connection that are not handed on; \
         five seconds' worth may come at once.",
    )
    .key(
        "per_address_per_s_max",
        count(0, MANY),
        |d| &mut d.rooms.gateway.caps.per_address_per_s_max,
        "The same of one address. One over it is turned away before a byte is read, or answered 429.",
    )
    .live_except(&[])
}

fn flap() -> Section {
    Section::new(
        "gateway.flap",
        "Clients that come and go over and over. Counted by user and address; a polite Close, or an \
         end by us, does not count.",
    )
    .key(
        "lives_max",
        count(0, 1_000_000),
        |d| &mut d.rooms.gateway.flap.lives_max,
        "Short connections within the window that are too many; 0 for no bans.",
    )
    .key(
        "short_life_ms",
        millis(1, HOUR),
        |d| &mut d.rooms.gateway.flap.short_life,
        "What counts as short.",
    )
    .key(
        "window_ms",
        millis(SECOND, DAY),
        |d| &mut d.rooms.gateway.flap.window,
        "The window.",
    )
    .key(
        "ban_ms",
        millis(100, DAY),
        |d| &mut d.rooms.gateway.flap.ban,
        "How long the first ban lasts; each next one twice as long.",
    )
    .key(
        "ban_max_ms",
        millis(100, DAY),
        |d| &mut d.rooms.gateway.flap.ban_max,
        "How long any ban lasts at most, and how long somebody has to be quiet to be forgotten.",
    )
    .live_except(&[])
}
