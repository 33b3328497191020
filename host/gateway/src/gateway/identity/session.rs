//! An application's own session as the user: the cookie that its clients send anyway.
//!
//! Whether a session is good is the backend's business: it refuses one that it does not know, and
//! before it has answered nobody is evicted for a newcomer. A session is a secret, so its value never
//! leaves this file: the user is called after a digest of it.

use std::fmt::Write as _;

use axum::http::request::Parts;
use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::address::Address;
use super::names::Naming;
use super::place::{NameValue, cookies, decoded, of_all};
use super::{Identified, Identify, Identity, Unidentified};
use wastegate_core::types::{Secret, UserId};

/// What the names of such users begin with.
const PREFIX: &str = "session-";
/// Bytes of the digest in a name: no two sessions come to the same.
const DIGEST_BYTES: usize = 16;

/// A client without the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// It is refused.
    #[default]
    Refuse,
    /// Its user is its address.
    Address,
}

/// The cookie that identifies a session, and what happens without it.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What it is called; empty for none. Empty.
    pub name: String,
    /// What happens to a client without it. Refused.
    pub missing: Missing,
    /// The key of the digest; empty for a digest without one. Empty.
    pub secret: Secret,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: String::new(),
            missing: Missing::Refuse,
            secret: Secret::default(),
        }
    }
}

/// Identifies by a session's cookie.
#[derive(Debug)]
pub(crate) struct SessionIdentity {
    config: Config,
    naming: Naming,
    address: Address,
}

impl SessionIdentity {
    /// By this cookie; `proxies` vouch for addresses.
    #[must_use]
    pub(crate) fn new(config: &Config, naming: Naming, proxies: Vec<IpNet>) -> Self {
        Self {
            config: config.clone(),
            naming: naming.clone(),
            address: Address::new(naming, proxies),
        }
    }

    fn who(&self, parts: &Parts) -> Result<Identity, Unidentified> {
        let name = &self.config.name;
        // Servers that decode a value take two spellings of it for one session, so they are one user.
        let values = cookies(parts, name).map(|value| decoded(&value));
        let found = of_all(values.filter(|value| !value.is_empty()));
        let value = match (found, self.config.missing) {
            (NameValue::One(value), _) => value,
            (NameValue::Conflicting, _) => {
                return Err(Unidentified::Repeated(format!("cookie `{name}`")));
            }
            (NameValue::Missing, Missing::Address) => return self.address.who(parts),
            (NameValue::Missing, Missing::Refuse) => {
                return Err(Unidentified::NoSession(name.clone()));
            }
        };
        let named = self.naming.read(parts, None)?;
        let class = named.class;
        let (key, device) = named.key_and_device()?;
        Ok(Identity {
            device_class: class,
            ..Identity::new(UserId::new(&self.user(&value))?, key, device)
        })
    }

    fn user(&self, session: &str) -> String {
        let mut digest = Sha256::new();
        let parts = [self.config.secret.reveal(), &self.config.name, session];
        for part in parts {
            digest.update(part.len().to_le_bytes());
            digest.update(part.as_bytes());
        }
        let digest = digest.finalize();
        let mut name = PREFIX.to_owned();
        for byte in digest.iter().take(DIGEST_BYTES) {
            // Writing to a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }
}

impl Identify for SessionIdentity {
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a> {
        Box::pin(std::future::ready(self.who(parts)))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn user(config: &Config, cookies: &[&str]) -> Result<String, String> {
        let session = SessionIdentity::new(config, Naming::default(), Vec::new());
        let mut request = Request::get("/chat");
        for cookie in cookies {
            request = request.header("cookie", *cookie);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let who = session.who(&parts).map_err(|error| error.to_string())?;
        assert!(!who.by_token, "a browser sends a cookie for any page");
        Ok(who.user.to_string())
    }

    fn by(name: &str) -> Config {
        Config {
            name: name.to_owned(),
            ..Config::default()
        }
    }

    #[test]
    fn a_session_is_a_user_whose_name_does_not_tell_it() {
        let one = user(&by("sid"), &["a=1; sid=s3cret"]).unwrap();
        assert!(one.starts_with("session-") && !one.contains("s3cret"));
        assert_eq!(one.len(), PREFIX.len() + 2 * DIGEST_BYTES);
        assert_eq!(
            user(&by("sid"), &["sid=s3cret; sid=s3cret"]),
            Ok(one.clone())
        );
        assert_ne!(user(&by("sid"), &["sid=other"]).unwrap(), one);
        let keyed = Config {
            secret: Secret::new("k".to_owned()),
            ..by("sid")
        };
        assert_ne!(user(&keyed, &["sid=s3cret"]).unwrap(), one);
    }

    #[test]
    fn no_session_and_two_sessions_are_refused() {
        let missing = user(&by("sid"), &["a=1"]).unwrap_err();
        assert_eq!(missing, "cookie `sid` is missing; sign in first");
        assert!(user(&by("sid"), &["sid="]).is_err());
        let twice = user(&by("sid"), &["sid=a", "sid=b"]).unwrap_err();
        assert_eq!(twice, "cookie `sid` is given more than once");
    }

    /// However a session is spelled, it is one user; and no decoy hides it from us.
    #[test]
    fn spellings_of_one_session_are_one_user() {
        let one = user(&by("sid"), &["sid=abc"]).unwrap();
        for spelling in [
            "sid =abc",
            "sid\t=abc",
            "a=1; sid= abc",
            "sid=\"abc\"",
            "sid=%61%62c",
            "%73id=abc",
        ] {
            assert_eq!(
                user(&by("sid"), &[spelling]).as_ref(),
                Ok(&one),
                "{spelling}"
            );
        }
        for decoy in ["sid=x; sid =abc", "sid=x; %73id=abc", "sid\t=x; sid=abc"] {
            let refused = user(&by("sid"), &[decoy]).unwrap_err();
            assert_eq!(refused, "cookie `sid` is given more than once", "{decoy}");
        }
    }
}
