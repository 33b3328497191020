//! `[gateway]`: HTTP in, upgraded socket out.

use super::Section;
use crate::config::shape::edge::{Statuses, networks, origins, upstreams};
use crate::config::shape::route::path;
use crate::config::shape::{OptionalPath, RANGED, Switch, auto, one_of};
use wastegate::gateway::http::Style;
use wastegate::gateway::origin::MissingOrigin;
use wastegate::gateway::upstream::{Balance, UpstreamHost};
use wastegate::gateway::{RefusalStyle, WithoutBackend};

pub(super) fn sections() -> Vec<Section> {
    vec![
        section! {
            |d| "gateway", "The public listener.";

            /// The path that the gateway serves: only this one for the built-in application, this
            /// one and everything beneath it in front of backends. `auto` is `/ws` for the
            /// application, and every path in front of backends.
            live path: auto(path()) => d.rooms.gateway.path;

            /// How long a client has to send its request head.
            live header_timeout_ms: RANGED => d.rooms.gateway.header_timeout;

            /// The largest request head, for operators too.
            live header_bytes_max: RANGED => d.rooms.gateway.header_bytes_max;

            /// Headers that a request may have.
            live headers_max: RANGED => d.rooms.gateway.headers_max;

            /// How a refusal reaches the client: `http` answers 429 or 503, `close` upgrades and
            /// then closes with a code that scripts can read.
            live refusal: one_of("style", [
                ("http", RefusalStyle::Http), ("close", RefusalStyle::Close),
            ]) => d.rooms.gateway.refusal;

            /// Origins whose pages may connect, besides the gateway's own. Scheme, host and port
            /// are compared. With an empty list, clients with a token that no foreign page can have
            /// may come from any origin. `*` allows every page and every client.
            live origins: origins() => d.rooms.gateway.origins;

            /// The answer to a request that has a cookie and no `Origin`. Browsers always send an
            /// `Origin`, native clients do not. `allow` accepts such requests; use it only if no
            /// browser or proxy of your users removes the header.
            live origin_missing: one_of("answer", [
                ("refuse-with-cookie", MissingOrigin::RefuseWithCookie),
                ("allow", MissingOrigin::Allow),
            ]) => d.rooms.gateway.origin_missing;

            /// Proxies in front of the gateway. It believes their `X-Forwarded-For`, `-Proto`,
            /// `-Host`, `Forwarded` and PROXY headers, and does not count a proxy as one client.
            live trusted_proxies: networks() => d.rooms.gateway.trusted_proxies;

            /// Whether trusted proxies begin every connection with a PROXY header (version 2).
            live proxy_protocol: Switch => d.rooms.gateway.proxy_protocol;

            /// The WebSocket servers (backends) to which the gateway forwards connections. Without
            /// one, and without routes, a small built-in application answers. A backend's path is
            /// the path of its WebSockets, whatever path the client asks for; without a path the
            /// client's path is kept. With a backend, `upstream_grace_ms` takes the place of
            /// `manager.reconnect_grace_ms`.
            live upstream: upstreams() => d.rooms.gateway.upstream;

            /// The `Host` of forwarded requests: the client's, so that backends can compare it with
            /// the origin of a page, or the backend's own as written in `upstream`.
            live upstream_host: one_of("host", [
                ("client", UpstreamHost::Client), ("backend", UpstreamHost::Backend),
            ]) => d.rooms.gateway.upstream_host;

            /// What happens to requests that are no upgrade, in front of backends: `pass` forwards
            /// them, `refuse` answers them with an error. They hold no manager and prove no
            /// identity here.
            restart http: one_of("word", [("pass", Style::Pass), ("refuse", Style::Refuse)])
                => d.rooms.gateway.http.style;

            /// How long a backend has until its answer to such a request starts. After that the
            /// answer is 504.
            live http_head_timeout_ms: RANGED => d.rooms.gateway.http.head_timeout;

            /// How long a request's or an answer's body may make no progress before it is cut off.
            live http_idle_ms: RANGED => d.rooms.gateway.http.idle;

            /// Such requests in progress at once. Further ones are answered 503. 0 for no limit.
            live http_requests_max: RANGED => d.rooms.gateway.http.requests_max;

            /// Such requests in progress at once from one address. Further ones are answered 429. 0
            /// for no limit.
            live http_requests_per_address_max: RANGED
                => d.rooms.gateway.http.requests_per_address_max;

            /// Such requests a second in total, with bursts of five seconds' worth. Further ones
            /// are answered 429. 0 for no limit.
            live http_requests_per_s_max: RANGED => d.rooms.gateway.http.requests_per_s_max;

            /// Such requests a second from one address; behind `gateway.trusted_proxies`, from the
            /// client that they name. 0 for no limit.
            live http_requests_per_address_per_s_max: RANGED
                => d.rooms.gateway.http.requests_per_address_per_s_max;

            /// Connections that carry such requests, at once. Further ones are answered 503. They
            /// do not count against `limits.connections_total`, and use at most a sixteenth of the
            /// process's file descriptors. 0 for only that limit.
            restart http_connections_max: RANGED => d.rooms.gateway.http.connections_max;

            /// Such connections from one address. Further ones are answered 429. Connections from
            /// `gateway.trusted_proxies` are not counted by address. 0 for no limit.
            live http_connections_per_address_max: RANGED
                => d.rooms.gateway.http.connections_per_address_max;

            /// How long such a connection may stay idle between two requests; never longer than
            /// `gateway.header_timeout_ms`.
            live http_rest_ms: RANGED => d.rooms.gateway.http.rest;

            /// How long the connection to the backend is kept for a client that was lost, so that
            /// the client can continue; 0 for not at all. It is not kept if compression was
            /// negotiated.
            restart upstream_grace_ms: RANGED => d.rooms.gateway.upstream_grace;

            /// How much the backend may send in that time before its connection is closed.
            live upstream_held_bytes_max: RANGED
                => d.rooms.gateway.upstream_held_bytes_max;

            /// Which of several backends gets a connection: the one with the fewest, or always the
            /// same one for a user's key or for a client's address. `by-address` is for clients
            /// whose first requests are no upgrade, such as Socket.IO; requests that are no upgrade
            /// always go by address.
            live upstream_balance: one_of("balance", [
                ("least-connections", Balance::LeastConnections), ("by-key", Balance::ByKey),
                ("by-address", Balance::ByAddress),
            ]) => d.rooms.gateway.upstream_balance;

            /// Time between two checks whether an unreachable backend accepts connections again,
            /// and whether one that has had no client yet accepts them. 0 learns it from clients
            /// only. Backends that upgrade are not checked.
            live upstream_check_ms: RANGED => d.rooms.gateway.upstream_check;

            /// Certificate authorities for `wss://` backends, as PEM; empty for those of the
            /// system.
            live upstream_authorities: OptionalPath => d.rooms.gateway.upstream_authorities;

            /// How long all backends that are tried for one client have together to accept a
            /// connection and answer the upgrade. If one has not answered within its share of that
            /// time, the gateway asks the next one as well.
            live upstream_timeout_ms: RANGED => d.rooms.gateway.upstream_timeout;

            /// Parallel attempts at a second backend for clients whose first one has not answered yet, in
            /// total. Without one, the gateway gives up the slow attempt first. The gateway uses at
            /// most one for 64 file descriptors of the process.
            restart upstream_hedges_max: RANGED => d.rooms.gateway.upstream_hedges_max;

            /// Answers to an upgrade that mean that the backend is unhealthy, as a refused
            /// connection or no answer does. The gateway then does not use it for a while and asks
            /// the next one. Other answers go to the client.
            live upstream_unhealthy_statuses: Statuses
                => d.rooms.gateway.upstream_unhealthy_statuses;

            /// The answer of `/readyz` while no backend can be reached: `fail` is 503, `pass` is
            /// 200.
            live readyz_without_backend: one_of("word", [
                ("fail", WithoutBackend::Fail), ("pass", WithoutBackend::Pass),
            ]) => d.rooms.gateway.readyz_without_backend;

            /// Over how long the gateway asks its clients to connect again when it stops.
            live drain_spread_ms: RANGED => d.rooms.gateway.drain_spread;

            /// How long connections have to end after that.
            live drain_ms: RANGED => d.rooms.gateway.drain;

            /// How long `/readyz` answers 503 before the first client is asked, so that a balancer
            /// sends no more clients; new clients are accepted meanwhile. Make it longer than the
            /// balancer needs to notice. Without connections the server stops at once.
            live drain_readyz_ms: RANGED => d.rooms.gateway.drain_readyz;
        },
        tls(),
        caps(),
        flap(),
    ]
}

fn tls() -> Section {
    section! {
        |d| "gateway.tls",
        "TLS on the public listener. The gateway reads the files again when they change, and at \
         SIGHUP.";

        /// The certificate and its chain, as PEM; empty for plain text.
        restart certificate: OptionalPath => d.rooms.gateway.tls.certificate;

        /// The private key of the certificate, as PEM.
        restart key: OptionalPath => d.rooms.gateway.tls.key;

        /// Time between two checks whether the files changed.
        live rescan_ms: RANGED => d.rooms.gateway.tls.rescan;
    }
}

fn caps() -> Section {
    section! {
        |d| "gateway.caps",
        "Caps on connections and requests of clients that are not identified yet; 0 for no cap. \
         An address is an IPv4 address or an IPv6 network of 64 bits. Connections from \
         `gateway.trusted_proxies` are not counted by address; their requests count as those of \
         the clients that they name.";

        /// Handshakes in progress, in total.
        live half_open_max: RANGED => d.rooms.gateway.caps.half_open_max;

        /// Handshakes in progress from one address.
        live half_open_per_address_max: RANGED
            => d.rooms.gateway.caps.half_open_per_address_max;

        /// How long a connection may last, whatever it sends, until its client is identified or its
        /// first request is forwarded. Then it is cut off. It counts as a handshake in progress
        /// until then.
        live half_open_lifetime_ms: RANGED => d.rooms.gateway.caps.half_open_lifetime;

        /// New connections a second in total, and further requests of a connection that are not
        /// forwarded, with bursts of five seconds' worth.
        live per_s_max: RANGED => d.rooms.gateway.caps.per_s_max;

        /// The same from one address. A connection beyond it is refused before a byte is read, or
        /// answered 429.
        live per_address_per_s_max: RANGED => d.rooms.gateway.caps.per_address_per_s_max;
    }
}

fn flap() -> Section {
    section! {
        |d| "gateway.flap",
        "Clients that connect and disconnect again and again, by user and address. A connection \
         that the client ends with a proper Close, or that the gateway ends, does not count.";

        /// Short connections within the window that lead to a ban; 0 for no bans.
        live lives_max: RANGED => d.rooms.gateway.flap.lives_max;

        /// A connection that ends sooner than this is short.
        live short_life_ms: RANGED => d.rooms.gateway.flap.short_life;

        /// The window in which short connections are counted.
        live window_ms: RANGED => d.rooms.gateway.flap.window;

        /// How long the first ban lasts. Each further one lasts twice as long.
        live ban_ms: RANGED => d.rooms.gateway.flap.ban;

        /// The longest ban, and how long a client must stay away for its bans to be forgotten.
        live ban_max_ms: RANGED => d.rooms.gateway.flap.ban_max;
    }
}
