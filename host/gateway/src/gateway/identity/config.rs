//! Settings: who vouches for clients, and how.

use std::time::Duration;

#[cfg(feature = "jwt")]
use super::claims;
#[cfg(feature = "hook")]
use super::hook;
#[cfg(feature = "jwt")]
use super::jwt;
use super::place::NamePlace;
#[cfg(any(feature = "jwt", feature = "hook"))]
use super::token;
use super::{Naming, forwarded, session};

/// Who vouches for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Mode {
    /// No check: the gateway believes the name that a client gives. On loopback addresses only.
    #[default]
    Dev,
    /// The issuer that signed the client's token.
    #[cfg(feature = "jwt")]
    Jwt,
    /// A service that is asked over HTTP.
    #[cfg(feature = "hook")]
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
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("dev", Self::Dev),
        #[cfg(feature = "jwt")]
        ("jwt", Self::Jwt),
        #[cfg(feature = "hook")]
        ("hook", Self::Hook),
        ("headers", Self::Headers),
        ("cookie", Self::Cookie),
        ("address", Self::Address),
    ];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
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
    #[cfg(any(feature = "jwt", feature = "hook"))]
    pub token: token::Config,
    /// Settings of signed tokens.
    #[cfg(feature = "jwt")]
    pub jwt: jwt::Config,
    /// Which claims mean what.
    #[cfg(feature = "jwt")]
    pub claims: claims::Config,
    /// The service that is asked.
    #[cfg(feature = "hook")]
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
            #[cfg(any(feature = "jwt", feature = "hook"))]
            token: token::Config::default(),
            #[cfg(feature = "jwt")]
            jwt: jwt::Config::default(),
            #[cfg(feature = "jwt")]
            claims: claims::Config::default(),
            #[cfg(feature = "hook")]
            hook: hook::Config::default(),
            headers: forwarded::Config::default(),
            cookie: session::Config::default(),
        }
    }
}
