//! What proofs of identity need of several keys.

use super::cross::Check;
use wastegate::gateway::identity::Mode;
use wastegate::gateway::identity::jwt::Algorithm;
use wastegate::gateway::identity::place::NamePlace;
use wastegate_core::types::host::is_loopback;

impl Check<'_> {
    /// What each proof of identity needs, for every one that is wanted somewhere.
    pub(super) fn identities(&mut self) {
        self.identity();
        let usual = self.draft.rooms.identity.mode;
        let mut seen: Vec<Mode> = vec![usual];
        let routes = self.draft.routes.iter();
        let wanted: Vec<_> = routes
            .filter_map(|(at, route)| Some((*at, route.identity?)))
            .collect();
        for (at, mode) in wanted {
            if seen.contains(&mode) {
                continue;
            }
            seen.push(mode);
            self.draft.rooms.identity.mode = mode;
            self.mode_key = format!("gateway.route[{at}].identity");
            self.identity();
        }
        self.draft.rooms.identity.mode = usual;
        self.mode_key = "identity.mode".to_owned();
        if !seen
            .iter()
            .any(|mode| matches!(mode, Mode::Jwt | Mode::Hook))
        {
            self.claimed_names();
        }
    }

    fn identity(&mut self) {
        let identity = &self.draft.rooms.identity;
        match identity.mode {
            Mode::Dev if !self.draft.rooms.server.listen.ip().is_loopback() => self.conflict(
                &["identity.mode", "server.listen"],
                "`dev` believes whatever name a client gives, so nobody else may reach it",
                "listen on a loopback address such as 127.0.0.1:8080, or set `identity.mode`; `address` \
                 takes a client's address as its user",
            ),
            Mode::Hook if identity.hook.url.is_none() => self.conflict(
                &["identity.mode", "identity.hook.url"],
                "`hook` needs a service to ask",
                "set `identity.hook.url`",
            ),
            Mode::Headers if identity.headers.user.is_empty() => self.conflict(
                &["identity.mode", "identity.headers.user"],
                "`headers` needs a header that says who somebody is",
                "set `identity.headers.user`",
            ),
            Mode::Headers if !self.are_proxies_named() => self.conflict(
                &["identity.mode", "gateway.trusted_proxies"],
                "`headers` believes whatever user a trusted proxy names, and every program of this machine \
                 is trusted by default",
                "name the proxies in `gateway.trusted_proxies`; [\"127.0.0.1\"] if only proxies connect from \
                 there",
            ),
            Mode::Cookie if identity.cookie.name.is_empty() => self.conflict(
                &["identity.mode", "identity.cookie.name"],
                "`cookie` needs the name of a cookie",
                "set `identity.cookie.name`, such as \"sessionid\"",
            ),
            Mode::Jwt => self.tokens(),
            Mode::Dev | Mode::Hook | Mode::Headers | Mode::Cookie | Mode::Address => {}
        }
    }

    /// Whether somebody wrote down which proxies are trusted.
    fn are_proxies_named(&self) -> bool {
        let are_some = !self.draft.rooms.gateway.trusted_proxies.is_empty();
        are_some && self.is_set("gateway.trusted_proxies")
    }

    /// A claim can name something only where there are claims.
    fn claimed_names(&mut self) {
        let identity = &self.draft.rooms.identity;
        let is_claim = |place: &NamePlace| matches!(place, NamePlace::Claim(_));
        let claimed = [
            ("identity.key", identity.key.iter().any(is_claim)),
            ("identity.device", identity.device.iter().any(is_claim)),
        ];
        for (key, _) in claimed.into_iter().filter(|(_, claimed)| *claimed) {
            self.conflict(
                &["identity.mode", key],
                "only tokens (`jwt`) and answers of a hook (`hook`) have claims",
                &format!("take `claim:` out of `{key}`, or set `identity.mode`"),
            );
        }
    }

    fn tokens(&mut self) {
        let jwt = &self.draft.rooms.identity.jwt;
        let shares = jwt.algorithms.contains(&Algorithm::Hs256);
        let public = jwt.algorithms.iter().any(|it| *it != Algorithm::Hs256);
        let keys = jwt.keys_file.is_some() || jwt.keys_url.is_some();
        let (secret_length, both) = (
            jwt.secret.reveal().len(),
            jwt.keys_file.is_some() && jwt.keys_url.is_some(),
        );
        let is_plain = jwt.keys_url.as_deref().is_some_and(is_plain_and_far);
        // RFC 7518, section 3.2: a key as long as the hash at least.
        if shares && secret_length < 32 {
            self.conflict(
                &["identity.jwt.algorithms", "identity.jwt.secret"],
                "HS256 needs a secret of at least 32 bytes",
                "set `identity.jwt.secret`, or take HS256 out",
            );
        }
        if public && !keys {
            self.conflict(
                &[
                    "identity.jwt.algorithms",
                    "identity.jwt.keys_file",
                    "identity.jwt.keys_url",
                ],
                "there are no keys to check signatures by",
                "set one of the two, or leave HS256 alone in `identity.jwt.algorithms`",
            );
        }
        if both {
            self.conflict(
                &["identity.jwt.keys_file", "identity.jwt.keys_url"],
                "keys come from one place",
                "set one of the two",
            );
        }
        if is_plain {
            self.conflict(
                &["identity.jwt.keys_url"],
                "whoever stands between could send keys of its own",
                "use https",
            );
        }
        if self.draft.rooms.identity.token.sources.is_empty() {
            self.conflict(
                &["identity.mode", "identity.token.sources"],
                "there is no place where a token may be",
                "name one in `identity.token.sources`",
            );
        }
    }
}

/// Whether a URL is not encrypted and not of this machine.
pub(super) fn is_plain_and_far(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    url.scheme() == "http" && !is_loopback(url.host_str().unwrap_or_default())
}
