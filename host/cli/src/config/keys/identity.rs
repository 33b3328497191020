//! `[identity]`: how users prove who they are.

use super::{DAY, HOUR, MINUTE, SECOND, Section};
use crate::config::shape::edge::{
    header_or_none, headers, name_or_none, names, places, url, word, word_or_none,
};
use crate::config::shape::parsed::Parsed;
use crate::config::shape::{Credential, OptionalPath, Switch, Word, Words, count, millis, one_of};
use wastegate::gateway::identity::Mode;
use wastegate::gateway::identity::jwt::Algorithm;
use wastegate::gateway::identity::session::Missing;
use wastegate::gateway::identity::token::Source;

pub(super) fn sections() -> Vec<Section> {
    vec![
        whole(),
        token(),
        jwt(),
        claims(),
        hook(),
        proxies(),
        cookie(),
    ]
}

/// How users prove who they are.
pub(super) fn mode() -> Word<Mode> {
    one_of("mode", Mode::ALL)
}

fn whole() -> Section {
    section! {
        |d| "identity", "How users prove who they are.";

        /// `dev` believes the name that a client gives, so it needs a loopback `server.listen`;
        /// `jwt` checks a signed token; `hook` asks a service; `headers` believes the proxies of
        /// `gateway.trusted_proxies`; `cookie` uses the application's session cookie; `address`
        /// uses the address of the client.
        live mode: mode() => d.rooms.identity.mode;

        /// Where clients name their managers: `query:NAME`, `header:NAME`, `cookie:NAME`, `path:N`
        /// (the N-th segment) or `claim:NAME`. The first place that has a name counts. Without a
        /// name the manager is named after the device; without a device each connection is a
        /// manager of its own.
        live key: places() => d.rooms.identity.key;

        /// Where clients name their devices, in the same way. A new connection of the same user,
        /// key and device takes over from the old one. Without a device there is no takeover.
        live device: places() => d.rooms.identity.device;

        /// How long a connection may outlive the token that it came with. Then the client is told
        /// and the connection closed.
        live expiry_grace_ms: millis(0, DAY) => d.rooms.identity.expiry_grace;

        /// Classes whose users are protected: their managers are evicted last.
        live protected_classes: names() => d.rooms.identity.protected_classes;
    }
}

fn token() -> Section {
    section! {
        |d| "identity.token",
        "Where a client sends its token. The order is always authorization, subprotocol, cookie, \
         query.";

        /// Where to look. Other servers' logs may keep a token that is in a query; this gateway's
        /// log does not.
        live sources: Words(one_of("place", [
            ("authorization", Source::Authorization), ("subprotocol", Source::Subprotocol),
            ("cookie", Source::Cookie), ("query", Source::Query),
        ])) => d.rooms.identity.token.sources;

        /// The prefix of an item of `Sec-WebSocket-Protocol` that is a token. The item is never
        /// echoed and never forwarded.
        live subprotocol: word() => d.rooms.identity.token.subprotocol;

        /// The name of the cookie.
        live cookie: word() => d.rooms.identity.token.cookie;

        /// The name of the query parameter.
        live query: word() => d.rooms.identity.token.query;

        /// Whether the backend gets the query parameter too, for an application that checks that
        /// token itself. The application's logs may then have the token.
        live query_handed_on: Switch => d.rooms.identity.token.query_handed_on;
    }
}

fn jwt() -> Section {
    section! {
        |d| "identity.jwt", "Which signed tokens are accepted. `exp` is required.";

        /// Algorithms with which tokens may be signed. Tokens with any other are refused.
        live algorithms: Words(one_of("algorithm", [
            ("HS256", Algorithm::Hs256), ("RS256", Algorithm::Rs256), ("ES256", Algorithm::Es256),
            ("EdDSA", Algorithm::EdDsa),
        ])) => d.rooms.identity.jwt.algorithms;

        /// The shared secret of HS256.
        live secret: Credential => d.rooms.identity.jwt.secret;

        /// A file with public keys, as a JSON Web Key Set.
        live keys_file: OptionalPath => d.rooms.identity.jwt.keys_file;

        /// The URL of such a set: https, or http on this machine.
        live keys_url: url() => d.rooms.identity.jwt.keys_url;

        /// Keys that the set may have. A larger set is not used, and the log says so.
        live keys_max: count(1, 10_000) => d.rooms.identity.jwt.keys_max;

        /// How long a set is used before it is read again. Tokens whose key is in the old set do
        /// not wait for that.
        live keys_refresh_ms: millis(SECOND, DAY) => d.rooms.identity.jwt.keys_refresh;

        /// Pause between two attempts to find a key that the set does not have.
        live keys_retry_ms: millis(10, HOUR) => d.rooms.identity.jwt.keys_retry;

        /// How long a fetch of the set may take.
        live keys_timeout_ms: millis(10, MINUTE) => d.rooms.identity.jwt.keys_timeout;

        /// Accepted issuers (`iss`); empty for any issuer whose key is known.
        live issuers: names() => d.rooms.identity.jwt.issuers;

        /// Accepted audiences (`aud`), one of which a token must name; empty for any.
        live audiences: names() => d.rooms.identity.jwt.audiences;

        /// How far the clock of a token's issuer may differ from this server's.
        live leeway_ms: millis(0, 10 * MINUTE) => d.rooms.identity.jwt.leeway;
    }
}

fn claims() -> Section {
    section! {
        |d| "identity.claims",
        "Names of the claims of a token; empty where there is none. A manager or device that no \
         claim names is named by the client (`identity.key`, `identity.device`).";

        /// The claim that names the user.
        live user: user_claim() => d.rooms.identity.claims.user;

        /// The claim that names the manager.
        live key: name_or_none() => d.rooms.identity.claims.key;

        /// The claim that names the device.
        live device: name_or_none() => d.rooms.identity.claims.device;

        /// The class of the user, or a list of them.
        live class: name_or_none() => d.rooms.identity.claims.class;

        /// The priority of the manager; a higher number is more important.
        live priority: name_or_none() => d.rooms.identity.claims.priority;

        /// How many managers the user may hold, in place of `limits.managers_per_user`.
        live managers: name_or_none() => d.rooms.identity.claims.managers;
    }
}

fn user_claim() -> Parsed<String> {
    Parsed {
        accepts: "the name of a claim",
        parse: |text| match text {
            "" => Err("there is no user without a claim that says who".to_owned()),
            _ => (name_or_none().parse)(text),
        },
        write: Clone::clone,
        samples: &["sub", "email", "https://example/claims/user"],
    }
}

fn hook() -> Section {
    section! {
        |d| "identity.hook",
        "The service that is asked, with a GET. It answers 200 and JSON with `user` and \
         optionally `key`, `device`, `class`, `priority`, `managers`, `expires_unix_s`; or 401 or \
         403. After any other answer, or none, the client is refused.";

        /// The URL of the service.
        live url: url() => d.rooms.identity.hook.url;

        /// How long the service has to answer.
        live timeout_ms: millis(10, MINUTE) => d.rooms.identity.hook.timeout;

        /// How long a positive answer is reused for the same question. A negative one never is.
        live cache_ms: millis(0, HOUR) => d.rooms.identity.hook.cache;

        /// Answers that are kept at once.
        live cache_entries_max: count(1, 10_000_000) => d.rooms.identity.hook.cache_entries_max;

        /// Headers that the service gets, besides Authorization, Cookie, Origin, User-Agent and
        /// Sec-WebSocket-Protocol.
        live headers: headers() => d.rooms.identity.hook.headers;
    }
}

fn cookie() -> Section {
    section! {
        |d| "identity.cookie",
        "The application's session cookie, which the application checks as before. The value \
         itself is never written anywhere: a digest of it is the user's name. It must stay the \
         same from one connection to the next.";

        /// The name of the cookie, such as `sessionid`, `connect.sid` or `JSESSIONID`.
        live name: word_or_none() => d.rooms.identity.cookie.name;

        /// What happens to a client without the cookie: `refuse` answers 401, `address` uses the
        /// client's address as the user.
        live missing: one_of("answer", [
            ("refuse", Missing::Refuse), ("address", Missing::Address),
        ]) => d.rooms.identity.cookie.missing;

        /// A key for the digest, the same on every node. Without one, a session that can be guessed
        /// can be recognised by its digest.
        live secret: Credential => d.rooms.identity.cookie.secret;
    }
}

fn proxies() -> Section {
    section! {
        |d| "identity.headers",
        "Headers by which the proxies of `gateway.trusted_proxies` name the user. The proxies \
         must remove these headers from what clients send.";

        /// The header that names the user.
        live user: header_or_none() => d.rooms.identity.headers.user;

        /// The header that names the manager; where it is empty, `identity.key` says where the client names it.
        live key: header_or_none() => d.rooms.identity.headers.key;

        /// The header that names the device; where it is empty, `identity.device` says where the client names it.
        live device: header_or_none() => d.rooms.identity.headers.device;

        /// The class of the user.
        live class: header_or_none() => d.rooms.identity.headers.class;
    }
}
