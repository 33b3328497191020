//! Signed tokens (RFC 7519), of the algorithms and by the keys that the operator named.
//!
//! A key is only ever used with algorithms of its own kind, so a public key cannot be passed off as
//! a shared secret. Moments are compared by our clock, so that tests own them.

mod keys;
mod provider;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use axum::http::request::Parts;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

use self::keys::{Keys, NoKey};
use super::claims::Reader;
use super::token::{TOKEN_BYTES_MAX, Taken};
use super::{Identified, Identify, Identity, Naming, Unidentified, token};
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{Clock, Secret, Timestamp};

pub use keys::KeysError;

/// How a token may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256, keys of 2,048 to 8,192 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// EdDSA with Ed25519.
    EdDsa,
}

impl Algorithm {
    const fn standard(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// Which tokens are good.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How they may be signed. RS256, ES256, EdDSA.
    pub algorithms: Vec<Algorithm>,
    /// The shared secret of HS256.
    pub secret: Secret,
    /// A file with public keys as a JSON Web Key Set (RFC 7517).
    pub keys_file: Option<PathBuf>,
    /// Where such a set is published: `https`, or `http` on this machine.
    #[cfg(feature = "jwt-url")]
    pub keys_url: Option<String>,
    /// Keys that a set may have. 64.
    pub keys_max: usize,
    /// How long a set is believed before it is read again. 5 min.
    pub keys_refresh: Duration,
    /// The pause between two looks for a key that is not in the set, or that failed. 10 s.
    pub keys_retry: Duration,
    /// How long a fetch of the set may take. 5 s.
    #[cfg(feature = "jwt-url")]
    pub keys_timeout: Duration,
    /// The issuer that a token must name (`iss`); empty accepts every issuer that has a key.
    pub issuers: Vec<String>,
    /// The audiences (`aud`), one of which a token must name; empty accepts every audience.
    pub audiences: Vec<String>,
    /// How far clocks may differ. 30 s.
    pub leeway: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
            secret: Secret::default(),
            keys_file: None,
            #[cfg(feature = "jwt-url")]
            keys_url: None,
            keys_max: 64,
            keys_refresh: Duration::from_secs(300),
            keys_retry: Duration::from_secs(10),
            #[cfg(feature = "jwt-url")]
            keys_timeout: Duration::from_secs(5),
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(30),
        }
    }
}

/// Identifies by tokens.
#[derive(Debug)]
pub struct Jwt {
    config: super::Config,
    naming: Naming,
    keys: Keys,
    clock: Clock,
}

impl Jwt {
    /// With the keys that the settings name; those behind a URL are fetched when the first token
    /// comes.
    ///
    /// # Errors
    /// [`KeysError`] when the file of keys cannot be used.
    pub fn new(config: &super::Config, naming: Naming, clock: Clock) -> Result<Self, KeysError> {
        provider::provide();
        Ok(Self {
            keys: Keys::new(&config.jwt, clock.clone())?,
            config: config.clone(),
            naming,
            clock,
        })
    }

    /// The claims of a token that is good now.
    async fn check(&self, token: &str) -> Result<Map<String, Value>, Unidentified> {
        let header = decode_header(token).map_err(|_| bad("it is no JSON Web Token"))?;
        let config = &self.config.jwt;
        let mut allowed = config.algorithms.iter();
        if !allowed.any(|allowed| allowed.standard() == header.alg) {
            return Err(bad("its algorithm is not accepted here"));
        }
        // RFC 7515, section 4.1.11: extensions that have to be understood and are not.
        if header.crit.is_some() {
            return Err(bad("it has critical extensions"));
        }
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        if !config.issuers.is_empty() {
            validation.set_issuer(&config.issuers);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        validation.validate_aud = !config.audiences.is_empty();
        if validation.validate_aud {
            validation.set_audience(&config.audiences);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        let keys = match self.keys.find(header.kid.as_deref(), header.alg).await {
            Ok(keys) => keys,
            Err(NoKey::Unknown) => return Err(bad("its key is not known here")),
            Err(NoKey::Unavailable) => return Err(Unidentified::Unavailable),
        };
        let mut refused = bad("its signature is not valid");
        for key in keys.iter() {
            match decode::<Map<String, Value>>(token, key, &validation) {
                Ok(data) => {
                    self.check_moments(&data.claims)?;
                    return Ok(data.claims);
                }
                Err(error) => match error.kind() {
                    // Another key may fit.
                    ErrorKind::InvalidSignature => {}
                    ErrorKind::InvalidIssuer => refused = bad("its issuer is not accepted here"),
                    ErrorKind::InvalidAudience => refused = bad("it is not meant for here"),
                    ErrorKind::MissingRequiredClaim(claim) => {
                        refused = bad(&format!("claim `{claim}` is missing"));
                    }
                    _ => refused = bad("it is not valid"),
                },
            }
        }
        Err(refused)
    }

    /// RFC 7519, sections 4.1.4 and 4.1.5. A token that never expires is none.
    fn check_moments(&self, claims: &Map<String, Value>) -> Result<(), Unidentified> {
        let now = self.clock.unix_ms(self.clock.now());
        let leeway = whole_ms(self.config.jwt.leeway);
        let expires = moment(claims, "exp")?.ok_or_else(|| bad("claim `exp` is missing"))?;
        if expires.saturating_add(leeway) <= now {
            return Err(bad("it has expired"));
        }
        match moment(claims, "nbf")? {
            Some(begins) if begins > now.saturating_add(leeway) => Err(bad("it is not valid yet")),
            _ => Ok(()),
        }
    }

    async fn who(&self, parts: &mut Parts) -> Result<Identity, Unidentified> {
        let (token, source) = match self.config.token.take(parts) {
            Taken::Token(token, source) => (token, source),
            Taken::Repeated => {
                return Err(Unidentified::Repeated("header `Authorization`".to_owned()));
            }
            Taken::TooLong => {
                return Err(bad(&format!(
                    "it is too long; at most {TOKEN_BYTES_MAX} bytes are read"
                )));
            }
            Taken::Nothing => {
                return Err(Unidentified::Rejected(format!(
                    "a token is needed: {}",
                    wanted(&self.config.token)
                )));
            }
        };
        let claims = self.check(token.reveal()).await?;
        let reader = Reader {
            config: &self.config.claims,
            protected_classes: &self.config.protected_classes,
        };
        let identity = reader.read(&claims, self.naming.read(parts, Some(&claims))?)?;
        // A moment that has not come yet says nothing of when it was issued.
        let latest = self.clock.unix_ms(self.clock.now()) + whole_ms(self.config.jwt.leeway);
        let mut token = identity.token.clone().unwrap_or_default();
        token.issued_unix_ms = token.issued_unix_ms.filter(|issued| *issued <= latest);
        Ok(Identity {
            expires_unix_ms: moment(&claims, "exp")?,
            // One that says neither can still be revoked with all others.
            token: Some(token),
            by_token: !source.is_sent_unasked(),
            ..identity
        })
    }
}

impl Identify for Jwt {
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a> {
        Box::pin(self.who(parts))
    }

    fn keys_read_at(&self) -> Option<Timestamp> {
        self.keys.read_at()
    }
}

fn bad(why: &str) -> Unidentified {
    Unidentified::Rejected(format!("the token is not accepted: {why}"))
}

/// A `NumericDate` (RFC 7519, section 2) in milliseconds; it may have a fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest whole number that fits"
)]
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Unidentified> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0);
            let seconds = seconds.ok_or_else(|| bad(&format!("claim `{name}` is no date")))?;
            Ok(Some((seconds * 1_000.0) as u64))
        }
    }
}

/// The places where a token may be, as a text for clients.
#[must_use]
pub fn wanted(config: &token::Config) -> String {
    let places = token::Source::ALL.into_iter();
    let places = places.filter(|source| config.sources.contains(source));
    let places: Vec<String> = places
        .map(|source| match source {
            token::Source::Authorization => "header `Authorization: Bearer TOKEN`".to_owned(),
            token::Source::Subprotocol => {
                format!("subprotocol `{}TOKEN`", config.subprotocol)
            }
            token::Source::Cookie => format!("cookie `{}`", config.cookie),
            token::Source::Query => format!("query parameter `{}`", config.query),
        })
        .collect();
    places.join(", or ")
}
