//! Settings: who vouches for clients, and how.

use std::time::Duration;

use super::place::NamePlace;
use super::{Naming, claims, forwarded, hook, jwt, session, token};

/// Who vouches for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Mode {
    /// No check: the gateway believes the name that a client gives. On loopback addresses only.
    #[default]
    Dev,
    /// The issuer that signed the client's token.
    Jwt,
    /// A service that is asked over HTTP.
    Hook,
    /// Proxies that say so in headers.
    Headers,
    /// The application, by a session's cookie that it checks itself.
    Cookie,
    /// The network: a client is its address.
    Address,
}

impl Mode {
    /// Every mode, with its name in a configuration.
    pub const ALL: [(&'static str, Self); 6] = [
        ("dev", Self::Dev),
        ("jwt", Self::Jwt),
        ("hook", Self::Hook),
        ("headers", Self::Headers),
        ("cookie", Self::Cookie),
        ("address", Self::Address),
    ];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, mode)| *mode == self)
            .map_or("", |(name, _)| name)
    }
}

/// How users prove who they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How clients are identified. Default [`Mode::Dev`].
    pub mode: Mode,
    /// Where clients name their managers; the first place that has a name counts. The query
    /// parameter `key`.
    pub key: Vec<NamePlace>,
    /// Where clients name their devices; the first place that has a name counts. The query parameter
    /// `device`.
    pub device: Vec<NamePlace>,
    /// How long a connection outlives its token. 25 s.
    pub expiry_grace: Duration,
    /// Classes whose users are protected. `premium`.
    pub protected_classes: Vec<String>,
    /// Where a client hands over its token.
    pub token: token::Config,
    /// Settings of signed tokens.
    pub jwt: jwt::Config,
    /// Which claims, or fields of the service's answer, mean what.
    pub claims: claims::Config,
    /// The service that is asked.
    pub hook: hook::Config,
    /// The headers of proxies.
    pub headers: forwarded::Config,
    /// The session's cookie.
    pub cookie: session::Config,
}

impl Default for Config {
    fn default() -> Self {
        let naming = Naming::default();
        Self {
            mode: Mode::Dev,
            key: naming.key,
            device: naming.device,
            expiry_grace: Duration::from_secs(25),
            protected_classes: vec!["premium".to_owned()],
            token: token::Config::default(),
            jwt: jwt::Config::default(),
            claims: claims::Config::default(),
            hook: hook::Config::default(),
            headers: forwarded::Config::default(),
            cookie: session::Config::default(),
        }
    }
}
