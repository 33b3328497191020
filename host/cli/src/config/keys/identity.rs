//! `[identity]`: how users prove who they are.

use super::{DAY, HOUR, MINUTE, SECOND, Section};
use crate::config::shape::edge::{
    header_or_none, headers, name_or_none, names, places, url, word, word_or_none,
};
use crate::config::shape::parsed::Parsed;
use crate::config::shape::{Credential, OptionalPath, Switch, Word, Words, count, millis};
use wastegate::gateway::identity::Mode;
use wastegate::gateway::identity::jwt::Algorithm;
use wastegate::gateway::identity::session::Missing;
use wastegate::gateway::identity::token::Source;

pub(super) fn sections() -> Vec<Section> {
    let sections = [
        whole(),
        token(),
        jwt(),
        claims(),
        hook(),
        proxies(),
        cookie(),
    ];
    let live = sections.into_iter().map(|section| section.live_except(&[]));
    live.collect()
}

/// How users prove who they are.
pub(super) fn mode() -> Word<Mode> {
    Word {
        what: "mode",
        words: Mode::ALL.to_vec(),
    }
}

fn whole() -> Section {
    Section::new("identity", "How users prove who they are.")
        .key(
            "mode",
            mode(),
            |d| &mut d.rooms.identity.mode,
            "`dev` believes the name that a client gives, so it needs a loopback `server.listen`; `jwt` \
             checks a signed token; `hook` asks a service; `headers` believes the proxies of \
             `gateway.trusted_proxies`; `cookie` takes the session of the application; `address` takes \
             the address of the client.",
        )
        .key(
            "key",
            places(),
            |d| &mut d.rooms.identity.key,
            "Where clients name their managers: `query:NAME`, `header:NAME`, `cookie:NAME`, `path:N` \
             (the N-th segment) or `claim:NAME`; the first that has a name counts. Without one a \
             manager is named after the device; without that too, each connection is a manager of its \
             own.",
        )
        .key(
            "device",
            places(),
            |d| &mut d.rooms.identity.device,
            "Where clients name their devices, likewise. A new connection of the same user, key and \
             device takes over the old one; without a device that never happens.",
        )
        .key(
            "expiry_grace_ms",
            millis(0, DAY),
            |d| &mut d.rooms.identity.expiry_grace,
            "How long a connection outlives the token that it came with; then it is told so and closed.",
        )
        .key(
            "protected_classes",
            names(),
            |d| &mut d.rooms.identity.protected_classes,
            "Classes whose users are protected: evicted after everybody else.",
        )
}

fn token() -> Section {
    let source = Word {
        what: "place",
        words: vec![
            ("authorization", Source::Authorization),
            ("subprotocol", Source::Subprotocol),
            ("cookie", Source::Cookie),
            ("query", Source::Query),
        ],
    };
    Section::new(
        "identity.token",
        "Where a client hands over its token. The order is always authorization, subprotocol, cookie, \
         query.",
    )
    .key(
        "sources",
        Words(source),
        |d| &mut d.rooms.identity.token.sources,
        "Where to look. A token in a query ends up in other people's logs; ours do not have it.",
    )
    .key(
        "subprotocol",
        word(),
        |d| &mut d.rooms.identity.token.subprotocol,
        "What an item of `Sec-WebSocket-Protocol` begins with that is a token. It is never echoed and \
         never handed on.",
    )
    .key(
        "cookie",
        word(),
        |d| &mut d.rooms.identity.token.cookie,
        "The name of the cookie.",
    )
    .key(
        "query",
        word(),
        |d| &mut d.rooms.identity.token.query,
        "The name of the query parameter.",
    )
    .key(
        "query_handed_on",
        Switch,
        |d| &mut d.rooms.identity.token.query_handed_on,
        "Whether the backend gets the query parameter too. An application that checks the token of its \
         query itself needs it; its logs then have the token.",
    )
}

fn jwt() -> Section {
    let algorithm = Word {
        what: "algorithm",
        words: vec![
            ("HS256", Algorithm::Hs256),
            ("RS256", Algorithm::Rs256),
            ("ES256", Algorithm::Es256),
            ("EdDSA", Algorithm::EdDsa),
        ],
    };
    Section::new(
        "identity.jwt",
        "Which signed tokens are good. `exp` is required.",
    )
    .key(
        "algorithms",
        Words(algorithm),
        |d| &mut d.rooms.identity.jwt.algorithms,
        "How tokens may be signed; whatever else a token says, it is refused.",
    )
    .secret(
        "secret",
        Credential,
        |d| &mut d.rooms.identity.jwt.secret,
        "The shared secret of HS256.",
    )
    .key(
        "keys_file",
        OptionalPath,
        |d| &mut d.rooms.identity.jwt.keys_file,
        "A file with public keys, as a JSON Web Key Set.",
    )
    .key(
        "keys_url",
        url(),
        |d| &mut d.rooms.identity.jwt.keys_url,
        "Where such a set is published: https, or http on this machine.",
    )
    .key(
        "keys_max",
        count(1, 10_000),
        |d| &mut d.rooms.identity.jwt.keys_max,
        "Keys that the set may have. One with more is not taken over, and the log says so.",
    )
    .key(
        "keys_refresh_ms",
        millis(SECOND, DAY),
        |d| &mut d.rooms.identity.jwt.keys_refresh,
        "How long a set is believed before it is read again. Tokens whose key is in the old one do not \
         wait for that.",
    )
    .key(
        "keys_retry_ms",
        millis(10, HOUR),
        |d| &mut d.rooms.identity.jwt.keys_retry,
        "The pause between two looks for a key that the set does not have.",
    )
    .key(
        "keys_timeout_ms",
        millis(10, MINUTE),
        |d| &mut d.rooms.identity.jwt.keys_timeout,
        "How long a fetch of the set may take.",
    )
    .key(
        "issuers",
        names(),
        |d| &mut d.rooms.identity.jwt.issuers,
        "Who may have issued a token (`iss`); empty for anybody with a key.",
    )
    .key(
        "audiences",
        names(),
        |d| &mut d.rooms.identity.jwt.audiences,
        "Whom a token has to be meant for (`aud`), one of them; empty for anybody.",
    )
    .key(
        "leeway_ms",
        millis(0, 10 * MINUTE),
        |d| &mut d.rooms.identity.jwt.leeway,
        "How far the clock of whoever issues tokens may differ from ours.",
    )
}

fn claims() -> Section {
    Section::new(
        "identity.claims",
        "Which claims of a token mean what; empty where none does. What they do not say of manager and \
         device, the client does (`identity.key`, `identity.device`).",
    )
    .key(
        "user",
        user_claim(),
        |d| &mut d.rooms.identity.claims.user,
        "The user.",
    )
    .key(
        "key",
        name_or_none(),
        |d| &mut d.rooms.identity.claims.key,
        "The manager.",
    )
    .key(
        "device",
        name_or_none(),
        |d| &mut d.rooms.identity.claims.device,
        "The device.",
    )
    .key(
        "class",
        name_or_none(),
        |d| &mut d.rooms.identity.claims.class,
        "The class of the user, or a list of them.",
    )
    .key(
        "priority",
        name_or_none(),
        |d| &mut d.rooms.identity.claims.priority,
        "The priority of the manager; higher is more important.",
    )
    .key(
        "managers",
        name_or_none(),
        |d| &mut d.rooms.identity.claims.managers,
        "How many managers the user may hold, in place of `limits.managers_per_user`.",
    )
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
    Section::new(
        "identity.hook",
        "The service that is asked, with a GET. It answers 200 and JSON with `user`, and if it likes \
         `key`, `device`, `class`, `priority`, `managers`, `expires_unix_s`; or 401 or 403. Whatever \
         else happens, nobody is let in.",
    )
    .key(
        "url",
        url(),
        |d| &mut d.rooms.identity.hook.url,
        "Where it is.",
    )
    .key(
        "timeout_ms",
        millis(10, MINUTE),
        |d| &mut d.rooms.identity.hook.timeout,
        "How long it has to answer.",
    )
    .key(
        "cache_ms",
        millis(0, HOUR),
        |d| &mut d.rooms.identity.hook.cache,
        "How long a yes to the same question is remembered; a no never is.",
    )
    .key(
        "cache_entries_max",
        count(1, 10_000_000),
        |d| &mut d.rooms.identity.hook.cache_entries_max,
        "Answers that are remembered at once.",
    )
    .key(
        "headers",
        headers(),
        |d| &mut d.rooms.identity.hook.headers,
        "Headers that it gets besides Authorization, Cookie, Origin, User-Agent and \
         Sec-WebSocket-Protocol.",
    )
}

fn cookie() -> Section {
    let missing = Word {
        what: "answer",
        words: vec![("refuse", Missing::Refuse), ("address", Missing::Address)],
    };
    Section::new(
        "identity.cookie",
        "The session of the application, which checks it as it always does. The value itself is never \
         written anywhere: the user is called after a digest of it. It has to stay the same from one \
         connection to the next.",
    )
    .key(
        "name",
        word_or_none(),
        |d| &mut d.rooms.identity.cookie.name,
        "The name of the cookie, such as `sessionid`, `connect.sid` or `JSESSIONID`.",
    )
    .key(
        "missing",
        missing,
        |d| &mut d.rooms.identity.cookie.missing,
        "What a client without it gets: `refuse` answers 401, `address` takes its address as its user.",
    )
    .secret(
        "secret",
        Credential,
        |d| &mut d.rooms.identity.cookie.secret,
        "A key for the digest, the same on every node; without one, a session that can be guessed can \
         be recognised by its digest.",
    )
}

fn proxies() -> Section {
    Section::new(
        "identity.headers",
        "By which headers the proxies of `gateway.trusted_proxies` say who somebody is. They have to \
         remove them from what clients send.",
    )
    .key(
        "user",
        header_or_none(),
        |d| &mut d.rooms.identity.headers.user,
        "The user.",
    )
    .key(
        "key",
        header_or_none(),
        |d| &mut d.rooms.identity.headers.key,
        "The manager; where it is empty, `identity.key` says where the client names it.",
    )
    .key(
        "device",
        header_or_none(),
        |d| &mut d.rooms.identity.headers.device,
        "The device; where it is empty, `identity.device` says where the client names it.",
    )
    .key(
        "class",
        header_or_none(),
        |d| &mut d.rooms.identity.headers.class,
        "The class of the user.",
    )
}
