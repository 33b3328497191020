//! Settings: who vouches for clients, and how.

use std::time::Duration;

use super::{claims, forwarded, hook, jwt, token};

/// Who vouches for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Mode {
    /// Nobody: the name a client gives is believed. On loopback addresses only.
    #[default]
    Dev,
    /// Whoever signed its token.
    Jwt,
    /// A service that is asked over HTTP.
    Hook,
    /// Proxies that say so in headers.
    Headers,
}

/// How users prove who they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Who vouches. Dev.
    pub mode: Mode,
    /// How long a connection outlives its token. 25 s.
    pub expiry_grace: Duration,
    /// Classes whose users are protected. `premium`.
    pub protected_classes: Vec<String>,
    /// Where a client hands over its token.
    pub token: token::Config,
    /// Tokens that somebody signed.
    pub jwt: jwt::Config,
    /// Which claims, or fields of the service's answer, mean what.
    pub claims: claims::Config,
    /// The service that is asked.
    pub hook: hook::Config,
    /// The headers of proxies.
    pub headers: forwarded::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Dev,
            expiry_grace: Duration::from_secs(25),
            protected_classes: vec!["premium".to_owned()],
            token: token::Config::default(),
            jwt: jwt::Config::default(),
            claims: claims::Config::default(),
            hook: hook::Config::default(),
            headers: forwarded::Config::default(),
        }
    }
}
